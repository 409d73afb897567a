"""The components of the gas, by name and by place; apart from their templates, which take long to import."""

#: What the gas may be made of; the first is the narrower one where there are two of all lines.
COMPONENTS = ("main", "second", "broad")
#: Their places in that list.
MAIN, SECOND, BROAD = range(3)
