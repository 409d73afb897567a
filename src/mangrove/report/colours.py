"""Colours of the figures of the report and of the explorer."""

#: Of what has no value.
BAD_COLOUR = "#e4e4e4"
#: Colours that readers with any colour vision tell apart (Okabe & Ito 2008).
BLUE, SKY, GREEN, ORANGE, RED, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"
#: Of ten and more lines in one panel.
MANY = (BLUE, RED, GREEN, ORANGE, SKY, PURPLE, "#000000", "#8C6D31", "#5254A3", "#7F7F7F")
