// The network configs of examples/network-config that need a kernel with ipip or ESP: good, and two hosts reach each other by them.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUNDLE, ROOT } from '../lab/actors/flanneld.ts'
import { createPair, prepareGround } from '../lab/scenarios/matrix-host.ts'
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import { ARGS } from '../lab/world/network.ts'

for (const type of ['ipip', 'ipsec'])
  test(`examples/network-config/${type}.json is good, and hosts reach each other by it (uml)`, async (t) => {
    const path = join(ROOT, `examples/network-config/${type}.json`)
    const config = JSON.parse(readFileSync(path, 'utf8')) as { readonly Backend: object }
    const [row] = rowsOf(type)
    if (row === undefined) throw new Error(`no row of ${type}`)
    const ground = await prepareGround(t, { ...row, options: config.Backend }, 'uml')
    await ground.etcd.configure(config)
    const [{ host }] = await createPair(ground)
    await t.notThrowsAsync(host.run(`${BUNDLE} config check ${path} ${ARGS.replace(/-iface=\S+/, '')}`))
  })
