"""The Kafka bus: the same contract on brokers, for those who outgrow one machine.  The only package that imports `kafka`.

A group's shares are the partitions of its state topic.  One consumer of the group subscribes to that topic and reads nothing: which
partitions it is assigned says which shares this process holds, so a share's inputs and its state never part.  A second consumer reads the
inputs of the shares held, from offsets that are set explicitly.  Every commit is one transaction of the share's own producer: outputs,
state, offsets, and a number that tells afterwards whether a commit whose answer was lost has happened.
"""

from tumen.bus_kafka.bus import KafkaBus
from tumen.bus_kafka.clients import Names
from tumen.bus_kafka.topics import TopicChange, apply_topics, plan_topics

__all__ = ["KafkaBus", "Names", "TopicChange", "apply_topics", "plan_topics"]
