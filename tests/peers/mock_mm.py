#!/usr/bin/env python3
"""Mock of org.freedesktop.ModemManager1 for mmsd-tng: one connected modem, one connected bearer on interface `lo`,
a SIM, and a messaging interface that can receive WAP-push SMS (M-Notification.ind).

    mock_mm.py BUS_ADDRESS APN MCCMNC OWN_NUMBER [INTERFACE]

Needs `pip install dbus-fast`.  A line `push HEX` on stdin delivers HEX (WSP push, no UDH) as a binary SMS.
The property list is what libmm-glib asks for; mmsd-tng uses Modem (State, Sim, Bearers, OwnNumbers), Modem.Messaging,
Sim (Imsi, OperatorIdentifier) and Bearer (Connected, Interface, Properties.apn, Ip4Config.dns1)."""

import asyncio
import sys

from dbus_fast import PropertyAccess
from dbus_fast import Variant as V
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

READ = PropertyAccess.READ
NAME = "org.freedesktop.ModemManager1"
BASE = "/org/freedesktop/ModemManager1"
MODEM, SIM, BEARER = BASE + "/Modem/0", BASE + "/SIM/0", BASE + "/Bearer/0"
IMEI = "356938035643809"


def read_only(name, signature, value):
    def getter(self):
        return value

    getter.__name__ = name
    getter.__annotations__ = {"return": signature}
    return dbus_property(access=READ)(getter)


def interface(name, properties):
    """An interface that has read-only properties alone: {name: (signature, value)}."""
    members = {k: read_only(k, s, v) for k, (s, v) in properties.items()}
    return type(name.replace(".", "_"), (ServiceInterface,), members)(name)


def modem(number):
    return interface(
        NAME + ".Modem",
        {
            "Sim": ("o", SIM),
            "SimSlots": ("ao", [SIM]),
            "PrimarySimSlot": ("u", 1),
            "Bearers": ("ao", [BEARER]),
            "SupportedCapabilities": ("au", [4]),
            "CurrentCapabilities": ("u", 4),
            "MaxBearers": ("u", 1),
            "MaxActiveBearers": ("u", 1),
            "MaxActiveMultiplexedBearers": ("u", 0),
            "Manufacturer": ("s", "Mock"),
            "Model": ("s", "MockModem"),
            "Revision": ("s", "1"),
            "CarrierConfiguration": ("s", ""),
            "CarrierConfigurationRevision": ("s", ""),
            "HardwareRevision": ("s", "1"),
            "DeviceIdentifier": ("s", "mock"),
            "Device": ("s", "/mock"),
            "Drivers": ("as", ["mock"]),
            "Plugin": ("s", "mock"),
            "PrimaryPort": ("s", "ttyMOCK0"),
            "Ports": ("a(su)", [["ttyMOCK0", 3]]),
            "EquipmentIdentifier": ("s", IMEI),
            "UnlockRequired": ("u", 1),
            "UnlockRetries": ("a{uu}", {}),
            "State": ("i", 11),
            "StateFailedReason": ("u", 0),
            "AccessTechnologies": ("u", 16384),
            "SignalQuality": ("(ub)", [80, True]),
            "OwnNumbers": ("as", [number]),
            "PowerState": ("u", 3),
            "SupportedModes": ("a(uu)", [[8, 0]]),
            "CurrentModes": ("(uu)", [8, 0]),
            "SupportedBands": ("au", [0]),
            "CurrentBands": ("au", [0]),
            "SupportedIpFamilies": ("u", 1),
        },
    )


def modem_3gpp(mccmnc):
    return interface(
        NAME + ".Modem.Modem3gpp",
        {
            "Imei": ("s", IMEI),
            "RegistrationState": ("u", 1),
            "OperatorCode": ("s", mccmnc),
            "OperatorName": ("s", "Mock Net"),
            "EnabledFacilityLocks": ("u", 0),
            "SubscriptionState": ("u", 0),
            "EpsUeModeOperation": ("u", 0),
            "Pco": ("a(ubay)", []),
            "InitialEpsBearer": ("o", "/"),
            "InitialEpsBearerSettings": ("a{sv}", {}),
            "PacketServiceState": ("u", 2),
        },
    )


def sim(mccmnc):
    return interface(
        NAME + ".Sim",
        {
            "Active": ("b", True),
            "SimIdentifier": ("s", "8901260000000000000"),
            "Imsi": ("s", mccmnc + "000000001"),
            "Eid": ("s", ""),
            "OperatorIdentifier": ("s", mccmnc),
            "OperatorName": ("s", "Mock Net"),
            "EmergencyNumbers": ("as", []),
            "PreferredNetworks": ("a(su)", []),
            "Gid1": ("ay", b""),
            "Gid2": ("ay", b""),
            "SimType": ("u", 1),
            "EsimStatus": ("u", 0),
            "Removability": ("u", 0),
        },
    )


def bearer(apn, netif):
    ip4 = {
        "method": V("u", 2),
        "address": V("s", "127.0.0.1"),
        "prefix": V("u", 8),
        "gateway": V("s", "127.0.0.1"),
        "dns1": V("s", "127.0.0.1"),
        "mtu": V("u", 1500),
    }
    return interface(
        NAME + ".Bearer",
        {
            "Interface": ("s", netif),
            "Connected": ("b", True),
            "ConnectionError": ("(ss)", ["", ""]),
            "Suspended": ("b", False),
            "Multiplexed": ("b", False),
            "Ip4Config": ("a{sv}", ip4),
            "Ip6Config": ("a{sv}", {"method": V("u", 0)}),
            "Stats": ("a{sv}", {}),
            "ReloadStatsSupported": ("b", False),
            "IpTimeout": ("u", 20),
            "BearerType": ("u", 1),
            "ProfileId": ("i", 1),
            "Properties": ("a{sv}", {"apn": V("s", apn), "ip-type": V("u", 1)}),
        },
    )


def sms(data):
    return interface(
        NAME + ".Sms",
        {
            "State": ("u", 3),
            "PduType": ("u", 1),
            "Number": ("s", "+10000"),
            "Text": ("s", ""),
            "Data": ("ay", data),
            "SMSC": ("s", "+1000"),
            "Validity": ("(uv)", [0, V("u", 0)]),
            "Class": ("i", -1),
            "TeleserviceId": ("u", 0),
            "ServiceCategory": ("u", 0),
            "DeliveryReportRequest": ("b", False),
            "MessageReference": ("u", 0),
            "Timestamp": ("s", "2026-01-01T00:00:00+00"),
            "DischargeTimestamp": ("s", ""),
            "DeliveryState": ("u", 256),
            "Storage": ("u", 2),
        },
    )


class Messaging(ServiceInterface):
    def __init__(self):
        super().__init__(NAME + ".Modem.Messaging")
        self.paths = []

    def deliver(self, path):
        # libmm-glib lists only what the Messages property holds: change it BEFORE the Added signal.
        self.paths.append(path)
        self.emit_properties_changed({"Messages": list(self.paths)})
        self.Added(path, True)

    @dbus_method()
    def List(self) -> "ao":
        return list(self.paths)

    @dbus_method()
    def Delete(self, path: "o"):
        print("SMS deleted", path, flush=True)
        if path in self.paths:
            self.paths.remove(path)
        self.Deleted(path)

    @dbus_signal()
    def Added(self, path, received) -> "ob":
        return [path, received]

    @dbus_signal()
    def Deleted(self, path) -> "o":
        return path

    @dbus_property(access=READ)
    def Messages(self) -> "ao":
        return list(self.paths)

    @dbus_property(access=READ)
    def SupportedStorages(self) -> "au":
        return [1, 2]

    @dbus_property(access=READ)
    def DefaultStorage(self) -> "u":
        return 2


class Manager(ServiceInterface):
    def __init__(self):
        super().__init__(NAME)

    @dbus_method()
    def ScanDevices(self):
        pass

    @dbus_method()
    def SetLogging(self, level: "s"):
        pass

    @dbus_method()
    def InhibitDevice(self, uid: "s", inhibit: "b"):
        pass

    @dbus_property(access=READ)
    def Version(self) -> "s":
        return "1.20.4"


async def main(address, apn, mccmnc, number, netif="lo"):
    bus = await MessageBus(bus_address=address).connect()
    messaging = Messaging()
    bus.export(BASE, Manager())
    for part in (modem(number), modem_3gpp(mccmnc), messaging):
        bus.export(MODEM, part)
    bus.export(SIM, sim(mccmnc))
    bus.export(BEARER, bearer(apn, netif))
    await bus.request_name(NAME)
    print("mock ModemManager up", flush=True)
    count = 0
    loop = asyncio.get_running_loop()
    while True:
        words = (await loop.run_in_executor(None, sys.stdin.readline)).split()
        if not words:
            await asyncio.sleep(0.2)
        elif words[0] == "push":
            count += 1
            path = f"{BASE}/SMS/{count}"
            bus.export(path, sms(bytes.fromhex(words[1])))
            messaging.deliver(path)
            print("pushed", path, flush=True)


if __name__ == "__main__":
    if not 5 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
