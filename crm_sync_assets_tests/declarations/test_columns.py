"""What a column says of itself, and what a fingerprint is made of."""

from __future__ import annotations

from dataclasses import replace

from crm_sync_assets.declarations.columns import camel, each, id_list, reference, text
from crm_sync_assets_tests.scripted import PEOPLE


def test_a_kind_of_column_says_what_its_values_mean() -> None:
    assert reference("owner_id").about == "0 at the source means none"
    assert id_list("merged").about.startswith("a `;`-separated list")
    assert reference("owner_id", about="who sold it").about == "who sold it"


def test_a_description_tells_kind_place_and_meaning() -> None:
    assert text("name").described("properties.") == "text from properties.name"
    column = text("name", at="properties.dealname", about="as the seller calls it")
    assert (
        column.described("properties.") == "text from properties.dealname; as the seller calls it"
    )


def test_a_rule_that_moves_to_another_module_changes_no_fingerprint() -> None:
    def rule(row: object) -> list[tuple[str, str]]:
        return []

    before = replace(PEOPLE, rules=(rule,)).fingerprint
    rule.__module__ = "somewhere.else"
    assert replace(PEOPLE, rules=(rule,)).fingerprint == before != PEOPLE.fingerprint


def test_names_are_spelled_as_the_source_spells_them() -> None:
    first, second = each(text, "first_name user_id_2", spelled=camel, sensitive=True)
    assert (first.name, first.at, first.sensitive) == ("first_name", "firstName", True)
    assert second.at == "userId2"
    assert [column.at for column in each(text, "first_name")] == [None]
