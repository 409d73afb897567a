"""The window that browser tests open, and how long they wait."""

#: A laptop's screen, in CSS pixels.
LAPTOP = {"width": 1366, "height": 768}
#: How long a page may take, on a busy machine of two cores, before its test fails, ms.
PATIENCE = 90_000
