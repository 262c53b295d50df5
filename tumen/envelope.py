"""The envelope of a record outside Tumen: CloudEvents 1.0 in binary mode, and a W3C trace context.

Everything is taken from the message itself, so a redelivery has the same headers.  `ce_source` is added by the bus, which knows the writer.
"""

import hashlib

from tumen.messages import Message


def envelope(message: Message) -> tuple[tuple[str, str], ...]:
    """(header, value) of one message (cloudevents.io, Kafka protocol binding 1.0, section 3.2)."""
    name, version = message.schema_.split("/")
    return (
        ("ce_specversion", "1.0"),
        ("ce_id", message.id),
        ("ce_type", f"tumen.{name}.v{version}"),
        ("ce_time", message.seen_at.isoformat()),
        ("content-type", "application/json"),
        ("traceparent", traceparent(message)),
    )


def traceparent(message: Message) -> str:
    """``version-trace-parent-flags`` (w3.org/TR/trace-context): the trace id from the message's trace, the parent id from its id."""
    trace = hashlib.blake2b(message.trace.encode(), digest_size=16).hexdigest()
    parent = hashlib.blake2b(message.id.encode(), digest_size=8).hexdigest()
    return f"00-{trace}-{parent}-01"
