// Every network config of examples/network-config: found good by `flanneld config check`, and run by a daemon.
import test from 'ava'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BUNDLE, ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const FOLDER = join(ROOT, 'examples/network-config')
/** Those for kernels that this machine may not have: test/kernels runs them. */
const ELSEWHERE = ['ipip.json', 'ipsec.json']
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.json') && !ELSEWHERE.includes(name))

for (const name of FILES) {
  test(`examples/network-config/${name} is good, and a daemon runs by it`, async (t) => {
    const path = join(FOLDER, name)
    const config = JSON.parse(readFileSync(path, 'utf8')) as { readonly Backend: { readonly Type: string } }
    const lan = await (await createLab(t)).lan()
    const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
    await etcd.configure(config)
    await host.run(`${BUNDLE} config check ${path} ${ARGS.replace(/-iface=\S+/, '')}`)
    // For a kernel without WireGuard.
    const daemon = await startFlanneld(host, `${ARGS} -wireguard-go=/usr/bin/wireguard-go`)
    await waitForSubnetEnv(host, daemon)
    await daemon.line(/ ready: /)
    t.true((await etcd.etcdctl('get --prefix / --print-value-only')).includes(`"BackendType":"${config.Backend.Type}"`))
  })
}

test('there are examples', (t) => {
  t.true(FILES.length >= 3)
})
