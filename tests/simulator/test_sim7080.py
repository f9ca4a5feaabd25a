"""The SIM7080's dialogues, byte for byte, typed by a terminal that follows the manual."""

from __future__ import annotations


def up(b) -> None:
    b.dte.ask("ATE0", "ATE0\r|OK|")
    b.dte.ok('AT+CNCFG=0,1,"internet"')
    b.dte.ask("AT+CNACT=0,1", "|OK||+APP PDP: 0,ACTIVE|")


def connect(b) -> None:
    b.dte.ok("AT+CACID=0")
    b.dte.ask('AT+CAOPEN=0,0,"TCP","peer.test",80', "|+CAOPEN: 0,0||OK|")
    b.peer.accept()


def post(b, data: bytes) -> None:
    b.dte.ask(f"AT+CASEND=0,{len(data)}", "|>")
    b.dte.send(data)
    b.dte.expect("\r\nOK\r\n")


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        up(b)
        b.dte.ask("AT+CNACT?", '|+CNACT: 0,1,"10.64.3.17"|' + "".join(f'|+CNACT: {n},0,"0.0.0.0"|' for n in (1, 2, 3)) + "|OK|")
        connect(b)
        b.dte.ask("AT+CASEND=0", "|+CASEND: 1360||OK|")
        post(b, b"hello")
        assert b.peer.receive(5) == b"hello"
        b.dte.ask("AT+CAACK=0", "|+CAACK: 5,0||OK|")
        b.peer.send(b"data, OK\r\n")
        b.dte.expect("\r\n+CADATAIND: 0\r\n")
        b.dte.ask("AT+CARECV?", "|+CARECV: 0,10||OK|")
        b.dte.ask("AT+CARECV=0,6", "|+CARECV: 6,data, ||OK|")
        b.dte.ask("AT+CARECV=0,100", "|+CARECV: 4,OK|||OK|")
        b.dte.ask("AT+CARECV=0,100", "|+CARECV: 0||OK|")
        b.dte.ask("AT+CASTATE?", "|+CASTATE: 0,1||OK|")
        b.dte.ok("AT+CACLOSE=0")
        b.dte.ask("AT+CACLOSE=0", "|ERROR|")
        b.dte.ask("AT+CNACT=0,0", "|OK||+APP PDP: 0,DEACTIVE|")

    modem = await bench(script, dialect="sim7080")
    assert [(bytes(record.up), record.ended) for record in modem.wire.connections] == [(b"hello", "local")]


async def test_the_window_is_reported_and_enforced(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        for _ in range(6):
            post(b, b"x" * 1360)
        b.dte.ask("AT+CASEND=0", "|+CASEND: 600||OK|")
        b.dte.ask("AT+CASEND=0,1360", "|ERROR|")
        b.dte.ask("AT+CAACK=0", "|+CAACK: 8160,8160||OK|")

    await bench(_with_late_acks(script), dialect="sim7080")


def _with_late_acks(script):
    """The acknowledgements do not come while the script fills the window."""

    def run(b) -> None:
        b.modem.dialect.board.air.at = lambda when, action: None if "_ack" in repr(action) else action()
        script(b)

    return run


async def test_the_peer_closes_with_data_unread(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.peer.send(b"rest")
        b.peer.finish()
        b.dte.expect("\r\n+CADATAIND: 0\r\n\r\n+CASTATE: 0,0\r\n")
        b.dte.ask("AT+CARECV=0,100", "|+CARECV: 4,rest||OK|")
        b.dte.ask("AT+CASEND=0,4", "|ERROR|")
        b.dte.ok("AT+CACLOSE=0")

    await bench(script, dialect="sim7080")


async def test_what_goes_wrong_has_its_number(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ask('AT+CAOPEN=0,0,"TCP","peer.test",80', "|+CAOPEN: 0,21||OK|")
        b.dte.ask("AT+CNACT=0,0", "|ERROR|")
        b.dte.ask("AT+CNACT=0,1", "|OK||+APP PDP: 0,ACTIVE|")
        b.dte.ask('AT+CAOPEN=0,0,"TCP","nowhere.test",80', "|+CAOPEN: 0,20||OK|")
        b.dte.ask('AT+CAOPEN=0,0,"TCP","peer.test",80,1', "|ERROR|")
        b.dte.ok("AT+CGACT=1,1")
        b.dte.ask('AT+CAOPEN=0,0,"TCP","peer.test",80', "|+CAOPEN: 0,21||OK|")
        b.dte.ask('AT+CDNSGIP="peer.test",2,2000', '|OK||+CDNSGIP: 1,"peer.test","100.64.0.1"|')

    await bench(script, dialect="sim7080")


async def test_the_bearer_is_lost(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\n+APP PDP: 0,DEACTIVE\r\n")
        b.dte.ask("AT+CASTATE?", "|OK|")

    await bench(script, dialect="sim7080")
