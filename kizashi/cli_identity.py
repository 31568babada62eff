"""Commands by which people question and correct who is who."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from kizashi.options import DEFAULT_CONFIG, Config, Debug, Json, Language, open_job

identity_app = typer.Typer(
    help="Why two records are one person, or are not, and what people decided.", no_args_is_help=True
)
review_app = typer.Typer(help="Doubtful pairs as a list to fill in, and the decisions made.", no_args_is_help=True)
identity_app.add_typer(review_app, name="review")

Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show addresses, telephones and names in full.")]
_WHO = "A customer id of any time, or system/id such as marketo/1001."


@identity_app.command("explain")
def explain(
    one: Annotated[str, typer.Argument(metavar="A", help=_WHO)],
    other: Annotated[str | None, typer.Argument(metavar="[B]", help="Another one; without it: all of A's.")] = None,
    lang: Language = None,
    unmasked: Unmasked = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say why two records are one person, or why they are not."""
    del debug
    job = open_job(config, json)
    language = job.language(lang)
    from customers.decisions import read_decisions, waiting_decisions
    from customers.review.explanation import explain_pair, explain_person
    from kizashi.identity_view import IdentityView
    from kizashi.people import find_customer, find_record

    view = IdentityView(language, job.settings.timezone, masked=not unmasked)
    left = find_record(job.workspace, one)
    right = find_record(job.workspace, other) if other is not None else left
    decisions = read_decisions(job.settings, job.workspace)
    waiting = waiting_decisions(job.workspace, decisions)
    if left == right:
        person = explain_person(job.workspace, decisions, find_customer(job.workspace, f"{left.system}:{left.id}"))
        content = {**view.person_content(person), "waiting_decisions": waiting}
        job.console.show_drawn(content, lambda terminal: view.draw_person(terminal, person, waiting))
    else:
        pair = explain_pair(job.settings, job.workspace, decisions, left, right)
        content = {**view.pair_content(pair), "waiting_decisions": waiting}
        job.console.show_drawn(content, lambda terminal: view.draw_pair(terminal, pair, waiting))


@identity_app.command("find")
def find(
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE...", help="What the record says, such as email=taro@example.jp."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="The record as a JSON object in a file instead; - reads stdin.")
    ] = None,
    lang: Language = None,
    unmasked: Unmasked = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say whose record it would be: one that no export holds yet."""
    del debug
    job = open_job(config, json)
    from customers.finding import PersonFinder
    from kizashi.identity_view import IdentityView
    from kizashi.record_file import read_record

    found = PersonFinder(job.settings, job.workspace).find(read_record(values or [], file))
    view = IdentityView(job.language(lang), job.settings.timezone, masked=not unmasked)
    content = {"found": [view.found_content(one) for one in found]}
    job.console.show_drawn(content, lambda terminal: view.draw_found(terminal, found))


@review_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the list (.csv or .xlsx).")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many pairs, the most doubtful first.")] = 200,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the doubtful pairs side by side, with a column for the decision."""
    del debug
    job = open_job(config, json)
    from customers.decisions import read_decisions
    from customers.review.pairs import doubtful_pairs
    from kizashi.export import check_export_path
    from kizashi.identity_texts import say
    from kizashi.review_file import ENDINGS, write_review

    check_export_path(file, ENDINGS, "")
    decisions = read_decisions(job.settings, job.workspace)
    pairs = doubtful_pairs(job.settings, job.workspace, decisions, limit)
    rows = write_review(file, pairs.columns, pairs.rows)
    locale = job.settings.locale
    lines = [say("exported", locale, rows=rows, found=pairs.found - pairs.left_out, path=file)]
    if pairs.left_out:
        lines.append(say("left_out", locale, count=pairs.left_out))
    content = {"pairs": rows, "found": pairs.found - pairs.left_out, "left_out_by_consent": pairs.left_out, "out": file}
    job.console.show_lines(content, lines)


@review_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, filled in (.csv or .xlsx).")],
    by: Annotated[str | None, typer.Option(help="Who decided, where the list does not say; default: you.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Record the decisions of a list; the next run heeds them."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from customers.review.answers import record_answers
    from kizashi.identity_texts import say
    from kizashi.identity_view import IdentityView
    from kizashi.review_file import read_review

    answers = read_review(file)
    with job.workspace.lock():
        done = record_answers(job.settings, job.workspace, str(file), answers, by or _own_name(), clock=SystemClock())
    locale = job.settings.locale
    view = IdentityView(locale, job.settings.timezone)
    lines = [say("imported", locale, recorded=done.recorded, unchanged=done.unchanged, blank=done.blank)]
    lines += [view.conflict_text(conflict) for conflict in done.conflicts]
    content = {
        "rows": done.rows, "recorded": done.recorded, "unchanged": done.unchanged, "blank": done.blank,
        "conflicts": [view.conflict_content(conflict) for conflict in done.conflicts],
    }  # fmt: skip
    job.console.show_lines(content, lines)


@review_app.command("list")
def list_decisions(
    unmasked: Unmasked = False, config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False
) -> None:
    """Show the decisions in force, the newest first, and which of them do not hold."""
    del debug
    job = open_job(config, json)
    from customers.decisions import conflicts_among, decisions_in_force, read_decisions
    from kizashi.identity_view import IdentityView

    view = IdentityView(job.settings.locale, job.settings.timezone, masked=not unmasked)
    in_force = decisions_in_force(read_decisions(job.settings, job.workspace))
    forbidden = {conflict.same.pair for conflict in conflicts_among(in_force)}
    newest = sorted(in_force.values(), key=lambda decision: (decision.decided_at, decision.pair), reverse=True)
    job.console.show_records(
        "decisions", [{**view.decision_content(one), "holds": one.pair not in forbidden} for one in newest]
    )


def _own_name() -> str:
    """The account that runs the command."""
    from core.errors import ConfigurationError

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise ConfigurationError("nobody is logged in under a name", "who decided", "say it with --by") from error
