"""The explorer's shell in a browser."""


def test_the_first_page_opens(visit, screenshot):
    page = visit("/")
    assert "mangrove: demo" in page.title()
    screenshot("home")
