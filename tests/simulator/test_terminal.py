"""V.250's characters: echo, line ends, corrections, numeric results, what is no command."""

from __future__ import annotations


async def test_echo_is_byte_for_byte_and_can_be_switched_off(bench) -> None:
    def script(b) -> None:
        b.dte.send("aT+cSq\r")
        b.dte.expect("aT+cSq\r\r\n+CSQ: 20,0\r\n\r\nOK\r\n")
        b.dte.send("AT")
        b.dte.expect("AT")  # as it is typed, not with the line
        b.dte.send("E0\r")
        b.dte.expect("E0\r\r\nOK\r\n")
        b.dte.ask("AT", "|OK|")
        b.dte.ok("ATE1")
        b.dte.ask("AT", "AT\r|OK|")

    await bench(script)


async def test_byte_by_byte_is_the_same(bench) -> None:
    def script(b) -> None:
        for byte in b"ATE0\r\n":
            b.dte.send(bytes((byte,)))
        b.dte.expect("ATE0\r\r\nOK\r\n")
        for byte in b"AT+CPIN?\r\n":
            b.dte.send(bytes((byte,)))
        b.dte.expect("\r\n+CPIN: READY\r\n\r\nOK\r\n")

    await bench(script)


async def test_what_is_no_command_is_ignored(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        for noise in ("\r", "\r\n\r\n", "hello\r", "\0\0\0\r", "OK\r\nERROR\r\n", "\xff\xfe\x80\r", "A\r", "T\r"):
            b.dte.send(noise)
            b.dte.silent()
        b.dte.ask("\0\0\x1agarbageAT", "|OK|")

    await bench(script)


async def test_backspace_and_repetition(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ask("AT+CSX\x08Q", "|+CSQ: 20,0||OK|")
        b.dte.send("A/")
        b.dte.expect("\r\n+CSQ: 20,0\r\n\r\nOK\r\n")

    await bench(script)


async def test_numeric_and_quiet_results(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ask("ATV0", "0\r")
        b.dte.ask("AT+CSQ", "+CSQ: 20,0|0\r")
        b.dte.ask("AT+NONSENSE", "4\r")
        b.dte.ask("ATV1Q1", "")
        b.dte.silent()
        b.dte.ask("ATQ0", "|OK|")

    await bench(script)


async def test_a_line_beyond_the_buffer_is_an_error(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ask("AT+CSTT=" + "x" * 700, "|ERROR|")
        b.dte.ask("AT" + "x" * 100_000, "|ERROR|")
        b.dte.ask("AT", "|OK|")

    await bench(script, dialect="sim800")


async def test_commands_typed_during_a_command_wait_for_it(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ok("AT+CGATT=0")
        b.dte.send("AT+CGATT=1\rAT+CGATT?\rAT+CSQ\r")
        b.dte.expect("\r\nOK\r\n\r\n+CGATT: 1\r\n\r\nOK\r\n\r\n+CSQ: 20,0\r\n\r\nOK\r\n")

    await bench(script, dialect="sim800", activation=0.1)


async def test_payload_echo_of_modems_that_have_it(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.send("ATE1\r")
        b.dte.until("OK\r\n")
        b.dte.send("AT+CIPSEND=0,3\r")
        b.dte.until(">")
        b.dte.send("abc")
        b.dte.expect("abc\r\nOK\r\n\r\n+CIPSEND: 0,3,3\r\n")

    await bench(script, payload_echo=True)
