"""Reading what other systems export: text, JSON lines, Excel, Parquet and SQL, always as text with line numbers."""

__all__ = ["database", "delimited", "encoding", "excel", "json_lines", "parquet", "read"]
