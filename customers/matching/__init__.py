"""Which records of a table are one person: probabilistic linkage that learns without labels."""

from customers.matching.fields import Field
from customers.matching.index import MatchIndex
from customers.matching.knowledge import Knowledge
from customers.matching.link import Linkage, link_records

__all__ = ["Field", "Knowledge", "Linkage", "MatchIndex", "link_records"]
