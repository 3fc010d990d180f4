"""From usage to footprint: the site, where an intensity comes from, the assessor."""
