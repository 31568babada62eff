"""From the exports of many systems to one person per row: connectors, cleansing, identity in time, survivorship."""
