"""One machine's worth of everything that Seatkeeper meets: a RabbitMQ, a Postgres and an Asana look-alike.

The demo, the tests and the benchmarks stand on it. Whatever it starts listens on 127.0.0.1 only and ends with it.
"""
