"""A notification server without a screen: prints `ready`, then each notification as a line of JSON.

With it the user and the environment of the program that sent it, as the bus and the kernel know them.
"""

import json

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

bus = open_dbus_connection(bus="SESSION")
bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
print("ready", flush=True)
while True:
    message = bus.receive()
    if message.header.message_type != MessageType.method_call:
        continue
    fields = message.header.fields
    if fields[HeaderFields.member] == "GetServerInformation":
        bus.send(new_method_return(message, "ssss", ("screen", "tests", "1", "1.2")))
        continue
    if fields[HeaderFields.member] == "GetCapabilities":
        bus.send(new_method_return(message, "as", (["body"],)))
        continue
    if fields[HeaderFields.member] != "Notify":
        bus.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))
        continue
    sender = fields[HeaderFields.sender]
    uid = bus.send_and_get_reply(message_bus.GetConnectionUnixUser(sender)).body[0]
    pid = bus.send_and_get_reply(message_bus.GetConnectionUnixProcessID(sender)).body[0]
    with open(f"/proc/{pid}/environ", "rb") as file:
        environment = dict(line.split("=", 1) for line in file.read().decode().split("\0") if line)
    app, _, _, title, text, _, hints, _ = message.body
    urgency = hints["urgency"][1]
    told = {"app": app, "title": title, "text": text, "urgency": urgency, "uid": uid, "environment": environment}
    print(json.dumps(told), flush=True)
    bus.send(new_method_return(message, "u", (1,)))
