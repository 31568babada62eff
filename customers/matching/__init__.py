"""Which records of a table are one person: probabilistic linkage that learns without labels."""

from customers.matching.fields import Field
from customers.matching.link import Evidence, Linkage, link_records

__all__ = ["Evidence", "Field", "Linkage", "link_records"]
