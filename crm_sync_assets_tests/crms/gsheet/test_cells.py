"""What a cell means, by what it shows and how the spreadsheet writes."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.crms.gsheet.cells import ODD, Manner
from crm_sync_assets.crms.gsheet.order import doubted

US = Manner.of("en_US", "America/New_York")
GB = Manner.of("en_GB", "Europe/London")
DE = Manner.of("de_DE", "Europe/Berlin")
FR = Manner.of("fr_FR", "Europe/Paris")
CH = Manner.of("de_CH", "Europe/Zurich")
JP = Manner.of("ja_JP", "Asia/Tokyo")
CA = Manner.of("en_CA", "America/Toronto")


@pytest.mark.parametrize(
    ("manner", "sql", "shown", "means"),
    [
        (US, "timestamptz", "4/12/2024 9:12:44", "2024-04-12T13:12:44+00:00"),
        (US, "timestamptz", "11/1/2023 7:40", "2023-11-01T11:40:00+00:00"),
        (US, "timestamptz", "2023-11-01 07:40:08", "2023-11-01T11:40:08+00:00"),
        (US, "timestamptz", "2023-11-01T07:40:08Z", "2023-11-01T07:40:08+00:00"),
        (US, "timestamptz", "2023-11-01T07:40:08-07:00", "2023-11-01T14:40:08+00:00"),
        (US, "timestamptz", "11/1/2023", "2023-11-01T04:00:00+00:00"),
        (US, "timestamptz", "1/5/2024 3:30 PM", "2024-01-05T20:30:00+00:00"),
        (GB, "timestamptz", "12/04/2024 09:12:44", "2024-04-12T08:12:44+00:00"),
        (DE, "timestamptz", "12.04.2024 09:12:44", "2024-04-12T07:12:44+00:00"),
        (US, "date", "4/12/2024", "2024-04-12"),
        (US, "date", "11-01-2024", "2024-11-01"),
        (US, "date", "2024/11/01", "2024-11-01"),
        (US, "date", "Apr 12, 2024", "2024-04-12"),
        (US, "date", "1/1/1900", "1900-01-01"),
        (US, "date", "2/29/1904", "1904-02-29"),
        (JP, "date", "2024/04/12", "2024-04-12"),
        (CA, "date", "2024-04-12", "2024-04-12"),
        (US, "timestamptz", "3/10/2024 2:30:00", "2024-03-10T07:30:00+00:00"),
        (US, "timestamptz", "11/3/2024 1:30:00", "2024-11-03T05:30:00+00:00"),
        (GB, "date", "4/12/2024", "2024-12-04"),
        (DE, "date", "4.12.24", "2024-12-04"),
        (US, "numeric", "$1,234.50", "1234.50"),
        (US, "numeric", "($125.50)", "-125.50"),
        (US, "numeric", "-$5.00", "-5.00"),
        (US, "numeric", "75%", "0.75"),
        (US, "numeric", "12.5%", "0.125"),
        (US, "numeric", "USD 1,200", "1200"),
        (DE, "numeric", "1.234,50 €", "1234.50"),
        (DE, "numeric", "-0,5", "-0.5"),
        (DE, "numeric", "1.234", "1234"),
        (FR, "numeric", "1\u202f234,50 €", "1234.50"),
        (CH, "numeric", "CHF 1’234.50", "1234.50"),
        (US, "numeric", " $(125.50)", "-125.50"),
        (US, "numeric", "1,234.50 €", "1234.50"),
        (US, "numeric", "-75%", "-0.75"),
        (US, "numeric", "1.5E+05", "150000"),
        (US, "bigint", "1,234", "1234"),
        (US, "boolean", "TRUE", "TRUE"),
        (DE, "boolean", "WAHR", "true"),
        (US, "text", "01234", "01234"),
        (US, "text", " 4/12 ", " 4/12 "),
        (US, "text", "  ", None),
        (US, "date", "", None),
    ],
)
def test_a_cell_means_what_the_sheet_means(
    manner: Manner, sql: Any, shown: str, means: str | None
) -> None:
    assert manner.value(shown, sql) == means


@pytest.mark.parametrize(
    ("manner", "sql", "shown"),
    [
        (US, "date", "13/4/2024"),
        (GB, "date", "4/13/2024"),
        (US, "numeric", "12,50"),
        (DE, "numeric", "12.50"),
        (US, "numeric", "n/a"),
        (FR, "numeric", "12€50"),
        (US, "numeric", "0:03:33"),
        (US, "numeric", "1,23"),
        (US, "date", "45394"),
        (US, "date", "2/29/1900"),
        (US, "date", "4.12.2024"),
        (US, "date", "4/12"),
        (US, "date", "4/12/2"),
        (US, "date", "202/4/12"),
        (US, "date", "4/12/0024"),
        (US, "timestamptz", "45394.3838"),
        (US, "timestamptz", "4/12/2024 9:12 EST"),
        (JP, "date", "24/4/12"),
        (CA, "date", "4/12/2024"),
        (US, "timestamptz", "soon"),
        (US, "timestamptz", "4/12/2024 25:00"),
        (US, "text", "#N/A"),
        (US, "numeric", "#DIV/0!"),
        (US, "date", "#REF!"),
    ],
)
def test_what_could_mean_something_else_means_nothing_and_is_noted(
    manner: Manner, sql: Any, shown: str
) -> None:
    found = manner.value(shown, sql)
    assert isinstance(found, dict)
    assert found[ODD]


def test_a_column_that_is_written_in_another_order_than_its_file_is_not_guessed() -> None:
    """13/4/2024 in an American file: then 4/12/2024 below it is no twelfth of April."""
    from crm_sync_assets.crms.gsheet.layout import Layout
    from crm_sync_assets.crms.gsheet.rows import Rows
    from crm_sync_assets.crms.gsheet.sources import Sheet, cells_of, sheet
    from crm_sync_assets.declarations.columns import date

    source = Sheet("X", "T")
    entity = sheet("gsheet.x", about="", source=source, table="x", columns=(date("a"), date("b")))
    columns = cells_of(entity)
    layout = Layout.of(["a", "b"], source, columns)
    days = [["13/4/2024", "13/4/2024"], ["4/12/2024", "4/12/2024"], ["5/5/2024", "4/30/2024"]]
    suspects = doubted(US, columns, layout, days)
    assert suspects == {"a"}
    maker = Rows("", source, columns, layout, US, None, doubted=suspects)
    first, second, third = maker.records(days)
    assert ODD in first["a"]
    assert "could be two days" in second["a"][ODD]
    assert third["a"] == "2024-05-05"
    assert (ODD in first["b"], second["b"], third["b"]) == (True, "2024-04-12", "2024-04-30")
    assert doubted(GB, columns, layout, [["4/13/2024", "13/4/2024"], ["1/2/2024", ""]]) == {"a"}
