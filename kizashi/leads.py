"""The scored people as a list that a person reads."""

from dataclasses import dataclass

from core.model_settings import ModelName
from core.storage import Workspace, connect_duckdb


@dataclass(frozen=True)
class Lead:
    """One line of the list."""

    customer_id: str
    name: str
    company: str
    probability: float
    score: int
    grade: str
    reasons: tuple[str, ...]


def top_leads(workspace: Workspace, model: ModelName, count: int) -> list[Lead]:
    """The `count` people with the highest probability, best first; empty where no model was ever promoted."""
    connection = connect_duckdb()
    workspace.tables(connection)
    scores = workspace.current(f"scores/{model}") / "scores.parquet"
    rows = connection.execute(
        """
        SELECT
            s.customer_id,
            coalesce(c.full_name, nullif(trim(concat_ws(' ', c.last_name, c.first_name)), ''), c.email,
                     CASE WHEN c.kind = 'known' THEN c.customer_id ELSE '' END) AS name,
            coalesce(c.company, ''),
            s.probability, s.score, s.grade,
            [s.reason_1, s.reason_2, s.reason_3, s.reason_4, s.reason_5]
        FROM read_parquet($scores) s
        JOIN customers c USING (customer_id)
        WHERE s.status = 'ok'
        ORDER BY s.probability DESC, s.customer_id
        LIMIT $count
        """,
        {"scores": str(scores), "count": count},
    ).fetchall()
    return [
        Lead(
            customer_id=str(customer_id),
            name=str(name),
            company=str(company),
            probability=float(probability),
            score=int(score),
            grade=str(grade),
            reasons=tuple(reason for reason in reasons if reason),
        )
        for customer_id, name, company, probability, score, grade, reasons in rows
    ]
