"""A real mail server for the tests: STARTTLS or implicit TLS, AUTH, each message one file.

    smtpd.py DIR [--implicit] [--reject ADDRESS]... [--greylist] [--refuse-data] [--break-off]

Certificates are DIR/server.pem and DIR/server.key. Listens on a free port of 127.0.0.1, which it writes to DIR/port once
it answers. A message is written to DIR/new/N.eml by a rename, the recipients it was for to DIR/new/N.to before that.
With --greylist the first try for each recipient is put off (451), with --refuse-data no message is taken (554), with
--break-off the first message is written down, and the connection closed in place of an answer. Login is `guardian` with the password `open sesame`; without it nothing is taken.
"""

import argparse
import asyncio
import os
import ssl
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Sink:
    """Takes messages and writes them down."""

    def __init__(self, directory, options):
        self.directory = directory
        self.options = options
        self.rejected = set(options.reject)
        self.known = set()
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.rejected:
            return "550 5.1.1 no such mailbox"
        if self.options.greylist and address not in self.known:
            self.known.add(address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.options.refuse_data:
            return "554 5.7.1 looks like spam"
        self.count += 1
        stem = self.directory / f"{self.count:04}"
        stem.with_suffix(".to").write_text("\n".join(envelope.rcpt_tos) + "\n")
        temporary = stem.with_suffix(".tmp")
        temporary.write_bytes(envelope.content)
        temporary.rename(stem.with_suffix(".eml"))
        if self.options.break_off and self.count == 1:
            server.transport.abort()
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    """Only the one login."""
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"guardian", b"open sesame")
    return AuthResult(success=right, handled=right, auth_data=data if right else None)


async def serve(options):
    directory = Path(options.directory)
    new = directory / "new"
    new.mkdir(exist_ok=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    sink = Sink(new, options)

    def session():
        return SMTP(
            sink,
            hostname="mail.test",
            tls_context=None if options.implicit else context,
            require_starttls=not options.implicit,
            auth_required=True,
            # aiosmtpd counts only STARTTLS as TLS; with implicit TLS the whole connection is.
            auth_require_tls=not options.implicit,
            authenticator=authenticate,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", options.port, ssl=context if options.implicit else None
    )
    port = server.sockets[0].getsockname()[1]
    temporary = directory / "port.tmp"
    temporary.write_text(f"{port}\n")
    os.rename(temporary, directory / "port")
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--reject", action="append", default=[])
    for flag in ["--greylist", "--refuse-data", "--break-off"]:
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args()))
