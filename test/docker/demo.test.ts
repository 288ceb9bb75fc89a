// examples/two-hosts/demo.ts, as `make demo` runs it: it ends well, and shows containers that reach each other.
import test from 'ava'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'
import { start } from '../lab/world/process.ts'

test('make demo: from an empty etcd to containers that ping each other', async (t) => {
  const demo = await start([process.execPath, join(ROOT, 'examples/two-hosts/demo.ts')], false)
  const { code } = await demo.exit
  t.is(code, 0, demo.output())
  t.regex(demo.output(), / 0% packet loss/)
})
