"""Identity that people can question and correct: why two records are one person, and which pairs need a look."""
