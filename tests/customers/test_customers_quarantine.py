"""Every row of a file is published or in quarantine, with its own line number."""

import copy
import json

import pytest


def quarantined(company) -> dict[int, str]:
    return {row["line"]: row["reason"] for row in company.rows("quarantine")}


def check_balance(company, summary) -> None:
    for report in summary.sources:
        assert report.rows == report.published + report.quarantined
    rows = company.rows("sources")
    assert sum(row["rows"] for row in rows) == summary.rows
    assert all(row["rows"] == row["published"] + row["quarantined"] for row in rows)
    assert len(company.rows("quarantine")) == summary.quarantined


@pytest.fixture
def visits(small_company):
    small_company.sources = [small_company.sources[1]]
    return small_company


HEADER = "event_id,cookie,login,url,at,recorded\n"
GOOD = "v{0},k{0},,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n"


def test_each_kind_of_fault_with_its_line(visits):
    visits.write(
        "visits.csv",
        HEADER
        + GOOD.format(1)
        + "v2,k2,,/,not a time,2025-03-01T10:00:05Z\n"  # line 3
        + "v3,,,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n"  # line 4
        + "v4,k4\n"  # line 5
        + "v5,k5,,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z,more\n"  # line 6
        + 'v6,"k6,,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n'  # line 7
        + "v7,k7,,/,2025-03-01 10:00:00,2025-03-01T10:00:05Z\n"  # line 8
        + ",k8,,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n"  # line 9
        + "v9,k9,,/,0025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n"  # line 10
        + GOOD.format(10)
        + "v11,k1",  # line 12: cut off
    )
    summary = visits.unify()
    reasons = quarantined(visits)
    assert reasons == {
        3: "occurred_at: an unreadable time",
        4: "person: nobody is named",
        5: "2 columns instead of 6",
        6: "7 columns instead of 6",
        7: "a quotation mark that is never closed",
        8: "occurred_at: a time without an offset, and the source declares no timezone",
        9: "event_id is blank",
        10: "occurred_at: an impossible time",
        12: "2 columns instead of 6",
    }
    assert summary.rows == 11
    assert summary.events == 2
    check_balance(visits, summary)
    raw = {row["line"]: row["raw"] for row in visits.rows("quarantine")}
    assert json.loads(raw[3])["at"] == "not a time"
    assert raw[5] == "v4,k4"


def test_values_over_several_lines_keep_the_line_numbers_right(visits):
    visits.write(
        "visits.csv",
        HEADER
        + 'v1,k1,,"/a\nb ""quoted"", c",2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n'
        + "\n"
        + "v2,k2,,/,never,2025-03-01T10:00:05Z\n",
    )
    summary = visits.unify()
    assert quarantined(visits) == {5: "occurred_at: an unreadable time"}
    assert visits.rows("events")[0]["url"] == '/a\nb "quoted", c'
    assert summary.rows == 2
    check_balance(visits, summary)


def test_two_broken_quotes_do_not_swallow_what_lies_between(visits):
    broken = '{0},"k{0},,/,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n'
    visits.write("visits.csv", HEADER + broken.format("v1") + GOOD.format(2) + GOOD.format(3) + broken.format("v4"))
    summary = visits.unify()
    assert sorted(quarantined(visits)) == [2, 5]
    assert summary.events == 2
    check_balance(visits, summary)


def test_damaged_bytes_cost_one_line_only(visits):
    lines = [HEADER.encode()]
    lines += [f"v{n},k{n},,/料金,2025-03-01T10:00:00Z,2025-03-01T10:00:05Z\n".encode() for n in range(30)]
    lines[7] = lines[7].replace("料".encode(), b"\xe6\x96")
    visits.write("visits.csv", b"".join(lines))
    summary = visits.unify()
    assert quarantined(visits) == {8: "bytes that are not utf-8"}
    assert summary.events == 29
    check_balance(visits, summary)


def test_bom_crlf_and_tabs(visits):
    text = HEADER + GOOD.format(1) + GOOD.format(2)
    visits.write("visits.tsv", b"\xef\xbb\xbf" + text.replace(",", "\t").replace("\n", "\r\n").encode())
    visits.sources = [{**visits.sources[0], "format": "tsv", "path": "{home}/exports/visits.tsv"}]
    summary = visits.unify()
    assert (summary.rows, summary.events, summary.quarantined) == (2, 2, 0)
    assert {row["url"] for row in visits.rows("events")} == {"/"}


def test_naive_times_are_read_in_the_declared_zone(visits, moment):
    visits.write("visits.csv", HEADER + "v1,k1,,/,2025/3/1 9:00:00,2025-03-01 09:00:05\n")
    visits.sources = [{**visits.sources[0], "timezone": "Asia/Tokyo"}]
    visits.unify()
    (event,) = visits.rows("events")
    assert event["occurred_at"] == moment("2025-03-01T00:00:00")
    assert event["recorded_at"] == moment("2025-03-01T00:00:05")


def test_a_time_format_of_the_source_s_own(visits, moment):
    visits.write("visits.csv", HEADER + "v1,k1,,/,01.03.2025 09:00,01.03.2025 09:01\n")
    visits.sources = [{**visits.sources[0], "timezone": "Europe/Berlin", "time_format": "%d.%m.%Y %H:%M"}]
    visits.unify()
    assert visits.rows("events")[0]["occurred_at"] == moment("2025-03-01T08:00:00")


def test_recorded_before_it_occurred_is_recorded_when_it_occurred(visits, moment):
    visits.write("visits.csv", HEADER + "v1,k1,,/,2025-03-01T10:00:00Z,2025-02-01T10:00:00Z\n")
    visits.unify()
    assert visits.rows("events")[0]["recorded_at"] == moment("2025-03-01T10:00:00")


def test_without_a_recorded_time_the_declared_delay_counts(visits, moment):
    source = copy.deepcopy(visits.sources[0])
    del source["events"]["recorded_at"]
    source["delay_hours"] = 1.5
    visits.sources = [source]
    visits.unify()
    event = visits.rows("events")[0]
    assert event["recorded_at"] == moment("2025-01-05T11:30:00")
    assert event["recorded_assumed"] is True


def test_a_day_without_a_time_is_known_at_its_end(visits, moment):
    visits.write("visits.csv", HEADER + "v1,k1,,/,2025-03-01,2025-03-02\n")
    visits.sources = [{**visits.sources[0], "timezone": "Asia/Tokyo"}]
    visits.unify()
    (event,) = visits.rows("events")
    assert event["occurred_at"] == moment("2025-02-28T15:00:00")
    assert event["recorded_at"] == moment("2025-03-02T15:00:00")


def test_times_after_the_declared_export(visits):
    visits.sources = [{**visits.sources[0], "exported_at": "2025-02-01T00:00:00Z"}]
    summary = visits.unify()
    assert list(quarantined(visits)) == [4]
    assert "lies after the export" in quarantined(visits)[4]
    check_balance(visits, summary)


def test_one_slip_of_a_digit_does_not_move_the_as_of(visits, moment):
    rows = [f"v{n},k{n},,/,2025-03-01T10:00:{n % 60:02d}Z,\n" for n in range(150)]
    visits.write("visits.csv", HEADER + "".join(rows) + "v999,k,,/,2052-03-01T10:00:00Z,\n")
    summary = visits.unify()
    assert quarantined(visits) == {152: "occurred_at lies years after all others"}
    assert summary.data_until == moment("2025-03-01T10:00:59")


def test_the_same_event_twice_counts_once(visits):
    visits.write("visits.csv", HEADER + GOOD.format(1) * 2 + GOOD.format(2))
    summary = visits.unify()
    assert (summary.rows, summary.events) == (3, 2)
    check_balance(visits, summary)


def test_a_row_with_a_fault_in_one_section_is_left_out_of_all(small_company):
    source = copy.deepcopy(small_company.sources[0])
    source["consents"] = {"person": "id", "purpose": {"constant": "marketing"}, "granted": "company", "at": "created"}
    small_company.sources = [source]
    small_company.write(
        "leads.csv",
        "id,email,last,first,company,created,updated\n1,a@b.example.jp,,,perhaps,2025-01-10T00:00:00Z,\n2,c@b.example.jp,,,yes,2025-01-10T00:00:00Z,\n",
    )
    summary = small_company.unify()
    assert quarantined(small_company) == {2: "granted: neither yes nor no"}
    assert summary.source_records == 1
    assert small_company.who("crm", "1") is None


def test_unused_columns_are_named(small_company):
    summary = small_company.unify()
    unused = {report.source: report.unused_columns for report in summary.sources}
    assert unused == {"leads": ("updated",), "visits": ()}
    assert small_company.rows("sources")[0]["unused_columns"] == "updated"


def test_ragged_rows_of_a_header_only_neighbour(visits):
    visits.write("visits.csv", HEADER + GOOD.format(1))
    visits.write("visits_empty.csv", HEADER)
    visits.sources = [{**visits.sources[0], "path": "{home}/exports/visits*.csv"}]
    summary = visits.unify()
    assert [(report.file, report.rows) for report in summary.sources] == [("visits.csv", 1), ("visits_empty.csv", 0)]


def test_files_of_one_name_in_several_folders_do_not_mix(visits):
    visits.write("2025-03/visits.csv", HEADER + GOOD.format(1) + "v2\n")
    visits.write("2025-04/visits.csv", HEADER + "v3,k3,,/,never,2025-03-01T10:00:05Z\n" + GOOD.format(4))
    visits.sources = [{**visits.sources[0], "path": "{home}/exports/2025-*/visits.csv"}]
    summary = visits.unify()
    assert {row["event_id"] for row in visits.rows("events")} == {"visits:v1", "visits:v4"}
    assert [report.quarantined for report in summary.sources] == [1, 1]
    check_balance(visits, summary)
