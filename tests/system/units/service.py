"""The smallest service that uses all of `appliance.host.systemd`; `test_protocol.py` starts it."""

import asyncio
import logging
import sys
import time

from appliance.host import systemd

log = logging.getLogger("service")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    word = (await reader.readline()).decode().strip()
    if word == "slow":
        await asyncio.sleep(0.4)
    elif word == "hang":
        log.warning("hanging\non two lines")
        time.sleep(30)
    writer.write(f"{word} {len(systemd.credential('api-key') or b'')}\n".encode())
    await writer.drain()
    writer.close()


async def main() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(15, stopping.set)
    await asyncio.sleep(0.2)  # stands for loading the model
    servers = [await asyncio.start_server(answer, sock=s) for s in systemd.listen_sockets()]
    systemd.notify("READY=1", f"STATUS=serving on {len(servers)} sockets")
    alive = None
    if interval := systemd.watchdog_seconds():
        alive = asyncio.create_task(systemd.keep_alive(interval, lambda: None))
    log.info("ready")
    await stopping.wait()
    systemd.notify("STOPPING=1")
    for server in servers:
        server.close()
    await asyncio.gather(
        *(task for task in asyncio.all_tasks() if task not in {asyncio.current_task(), alive})
    )
    log.info("drained")


if __name__ == "__main__":
    handler = logging.StreamHandler(sys.stderr)
    if systemd.is_journal(sys.stderr):
        handler.setFormatter(systemd.JournalFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    asyncio.run(main())
