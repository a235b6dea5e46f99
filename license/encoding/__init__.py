"""The strict readers: UTF-8, JSON, base64 and times in one spelling only, and typed fields of JSON."""
