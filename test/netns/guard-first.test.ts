// A stranger who knows the VNI sends all the time, while a daemon starts and while VNI and port change: not one frame of his
// gets into the device; and what an earlier run lets in stays in while a daemon starts again.
import test from 'ava'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** Sends broadcasts in VXLAN, a few thousand a second, with each VNI to each port in turn. */
const SENDER = `python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
frame = b"\\xff" * 6 + bytes.fromhex("0a000000bad10800") + b"\\0" * 46
print("sending", flush=True)
while True:
  for vni in (1, 2):
    for port in (8472, 8473):
      s.sendto(b"\\x08\\0\\0\\0" + vni.to_bytes(3, "big") + b"\\0" + frame, ("192.168.19.121", port))
  time.sleep(0.0005)
'`

/** Frames that came out of the tunnel, and packets the guard dropped. */
async function counts(host: Host, vni: number): Promise<{ readonly received: number; readonly dropped: number }> {
  const lines = await host.run(`ip -s link show flannel.${vni}; nft list counter inet flannel-guard-${vni} dropped`)
  const received = Number(/RX:[^\n]*\n\s*\d+\s+(\d+)/.exec(lines)?.[1])
  return { received, dropped: Number(/packets (\d+)/.exec(lines)?.[1]) }
}

function configOf(backend: object): object {
  return { Network: '10.2.0.0/16', Backend: { Type: 'vxlan', ...backend } }
}

test.serial(
  'a stranger gets no frame in: at a start, at a change of VNI, of port, of both, and at a start after one',
  async (t) => {
    const lan = await (await createLab(t)).lan()
    const [etcd, host, stranger] = await Promise.all([startEtcd(lan), lan.host(121), lan.host(150)])
    await etcd.configure(configOf({}))
    await (await stranger.spawn(SENDER)).line(/sending/)
    let daemon = await startFlanneld(host, ARGS)
    await waitForSubnetEnv(host, daemon)
    const quiet = async (what: string, vni: number, port: number): Promise<void> => {
      await waitFor(`${what}: the device`, async () =>
        new RegExp(` id ${vni} .* dstport ${port} `).test(await host.run(`ip -d link show up dev flannel.${vni}`)),
      )
      const { dropped } = await counts(host, vni)
      await waitFor(`${what}: more dropped`, async () => (await counts(host, vni)).dropped > dropped + 50)
      t.is((await counts(host, vni)).received, 0, what)
    }
    await quiet('a start', 1, 8472)
    for (const [what, backend] of [
      ['another VNI', { VNI: 2 }],
      ['another port', { VNI: 2, Port: 8473 }],
      ['both', { VNI: 1, Port: 8472 }],
    ] as const) {
      await etcd.configure(configOf(backend))
      await quiet(what, backend.VNI, 'Port' in backend ? backend.Port : 8472)
    }
    const before = await counts(host, 1)
    await daemon.stop()
    await etcd.configure(configOf({ Port: 8473 }))
    daemon = await startFlanneld(host, ARGS)
    await daemon.line(/ ready: /)
    await quiet('a start with another port', 1, 8473)
    t.true(before.dropped > 0)
    await waitFor('one guard', async () => (await host.run('nft list tables')).match(/flannel-guard/g)?.length === 1)
    t.notRegex(await host.run('nft list table inet flannel-guard-1'), /dport 8472/)
  },
)
