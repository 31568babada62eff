from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from core.errors import TableError
from core.tables import CAMPAIGNS, CONSENTS, CUSTOMERS, IDENTITIES, MOMENT, STAFF, TABLES, TEXT, TableSpec

CONSENT = {
    "customer_id": "c_1",
    "system": "crm",
    "source_id": "1",
    "purpose": "marketing",
    "granted": True,
    "decided_at": datetime(2026, 1, 1, tzinfo=UTC),
    "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
}


def table(spec: TableSpec, *rows: dict[str, object]) -> pa.Table:
    return pa.table({name: pa.array([row.get(name) for row in rows], c.type) for name, c in spec.columns.items()})


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_the_empty_table_satisfies_its_own_schema(spec: TableSpec) -> None:
    assert spec.check(spec.empty()).num_rows == 0


def test_rows_are_sorted_so_that_equal_input_gives_equal_files() -> None:
    rows = [CONSENT | {"source_id": key} for key in ("b", "c", "a")]
    assert CONSENTS.check(table(CONSENTS, *rows)).column("source_id").to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"purpose": "fun"}, "purpose: isin"), ({"customer_id": None}, "customer_id: not_nullable")],
)
def test_values_that_break_the_schema_are_named_without_being_shown(change: dict[str, object], told: str) -> None:
    with pytest.raises(TableError) as caught:
        CONSENTS.check(table(CONSENTS, CONSENT | change))
    assert told in caught.value.sentence
    assert "fun" not in caught.value.sentence


def test_a_key_may_occur_only_once() -> None:
    person = {
        "customer_id": "c_1",
        "kind": "known",
        "consent_marketing": True,
        "consent_profiling": True,
        "consent_transfer": True,
        "records": 1,
        "first_seen_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    with pytest.raises(TableError, match="customer_id: field_uniqueness"):
        CUSTOMERS.check(table(CUSTOMERS, person, person))


def test_missing_and_superfluous_columns_are_both_named() -> None:
    wrong = IDENTITIES.empty().drop_columns(["rule"]).append_column("rules", pa.array([], TEXT))
    with pytest.raises(TableError, match=r"lacks \['rule'\] and has \['rules'\]"):
        IDENTITIES.check(wrong)


def test_every_time_carries_its_zone() -> None:
    for spec in TABLES.values():
        for name, column in spec.columns.items():
            if name.endswith("_at"):
                assert column.type == MOMENT, f"{spec.name}.{name}"


def test_keys_that_come_again_are_counted_by_themselves_not_by_their_hashes() -> None:
    campaigns = CAMPAIGNS.empty().append_column("number", pa.array([], pa.int64()))
    with duckdb.connect() as connection:
        connection.register("nothing", campaigns)
        connection.execute("CREATE TABLE given AS FROM nothing")
        for number, key in enumerate(("b", "a", "a", "a"), 1):
            connection.execute(
                "INSERT INTO given BY NAME SELECT ? AS campaign_id, 'fair' AS name, ? AS number", [key, number]
            )
        with pytest.raises(TableError, match="campaign_id: field_uniqueness fails in 2 rows"):
            CAMPAIGNS.check_rows(connection, "given")
        connection.execute("DELETE FROM given WHERE number > 2")
        assert CAMPAIGNS.check_rows(connection, "given") == 2


def test_rows_may_be_stored_in_the_order_of_other_columns() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE given AS SELECT * FROM (VALUES ('s2', 'b', 1), ('s1', 'a', 2)) t(staff_id, name, number), "
            "(SELECT NULL AS email, NULL AS team, NULL AS daily_capacity)"
        )
        by_name, by_number = (
            connection.sql(STAFF.query("given", order)).to_arrow_table() for order in ((), ["number"])
        )
    assert by_name["staff_id"].to_pylist() == ["s1", "s2"]
    assert by_number["staff_id"].to_pylist() == ["s2", "s1"]
    assert by_number.schema == by_name.schema
