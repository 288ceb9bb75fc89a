// README.md, run: two hosts from nothing, each fault it names made, found by status and mended, and everything removed.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'
import { stepsOf, walk } from '../lab/scenarios/walkthrough.ts'

/** The etcd that README takes for granted. */
const ETCD = {
  host: 'etcd',
  stays: true,
  commands:
    'etcd --data-dir=/run/etcd --listen-client-urls=http://192.168.19.120:2379 --advertise-client-urls=http://192.168.19.120:2379',
  shown: [],
}

test('README.md: bring it up, break it in each way, find the cause by status, mend it, remove everything', async (t) => {
  const steps = stepsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))
  t.true(steps.filter(({ commands }) => commands === 'flanneld status').length >= 20, 'a fault and its end each')
  await walk(t, [ETCD, ...steps])
})
