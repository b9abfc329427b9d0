"""Whatever text goes in comes out as text, and nothing else."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from convworks.report.markup import Markup, join, percent, section, table, tag, visible


class Read(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_reads_back_as_itself(text: str) -> None:
    read = Read(tag("p", text, title=text))
    assert read.seen[0] == ("p", {"title": visible(text)})
    assert "".join(str(part) for part in read.seen[1:]) == visible(text)


@given(st.text())
def test_what_is_shown_holds_no_control_or_direction(text: str) -> None:
    shown = visible(text)
    assert all(character.isprintable() or character in " \n\t\xa0" for character in shown)
    shown.encode("utf-8")


def test_markup_is_not_escaped_twice_and_nested_children_are_joined() -> None:
    assert tag("p", ["a", [tag("b", "&")]]) == "<p>a<b>&amp;</b></p>"
    assert join(Markup("<i>"), "<i>") == "<i>&lt;i&gt;"
    assert tag("img", src="x", alt="") == '<img src="x" alt="">'
    assert tag("i", hidden=True, title=None, lang=False) == "<i hidden></i>"


def test_a_table_heads_its_rows_and_columns() -> None:
    made = table(["Class", ""], [["ant", "1"]], numbers=(1,))
    assert '<th scope="col">Class</th><td></td>' in made
    assert '<th scope="row">ant</th><td class="number">1</td>' in made


def test_a_section_is_named_by_its_heading() -> None:
    assert 'aria-labelledby="data-title"' in section("data", "Data")


def test_a_share_that_is_not_known_is_not_a_number() -> None:
    assert percent(float("nan")) == "unknown"
