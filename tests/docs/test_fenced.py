"""The reader of fenced blocks, which all tests of pages use."""

from __future__ import annotations

import pytest

from tests.support.fenced import Block, blocks_of, fenced, outside

PAGE = """# Title

```sh start it
one
```

1. A step:

   ~~~python
   if True:
       two
   ~~~

````text
```
three
```
````

    ```indented by four, so it is no fence

```
four
"""


def test_a_block_has_its_place_its_words_and_its_text() -> None:
    assert blocks_of(PAGE, "docs/x.md") == [
        Block("docs/x.md", 3, "sh", "start it", "one\n"),
        Block("docs/x.md", 9, "python", "", "if True:\n    two\n"),
        Block("docs/x.md", 14, "text", "", "```\nthree\n```\n"),
        Block("docs/x.md", 22, "", "", "four\n"),
    ]
    assert [str(each) for each in blocks_of(PAGE)][:2] == ["page:3 start it", "page:9"]


@pytest.mark.parametrize("text", ["``\nno\n``\n", "a ``` b ```\n", "``` a`b\nno\n", ""])
def test_what_is_no_fence_is_no_block(text: str) -> None:
    assert blocks_of(text) == []
    assert outside(text) == text


def test_a_fence_ends_with_one_that_is_as_long_and_of_the_same_character() -> None:
    (block,) = blocks_of("~~~~\n```\n~~~\n~~~~~\nafter\n")
    assert block.text == "```\n~~~\n"


def test_the_text_outside_has_no_block() -> None:
    assert outside("before\n```\ninside\n```\nafter\n") == "before\nafter\n"
    assert "three" not in outside(PAGE)
    assert "indented by four" in outside(PAGE)


def test_a_page_is_read_from_the_repository() -> None:
    found = fenced("README.md")
    assert {"sh", "js"} <= {each.language for each in found}
    assert fenced("README.md", "js") == [each for each in found if each.language == "js"]
