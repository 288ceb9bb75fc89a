// README.md and docs/tutorial.md, run in this order: two hosts from nothing, each fault made, found by status and fixed, everything removed.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lab/actors/flanneld.ts'
import { type Step, stepsOf, runSteps } from '../lab/scenarios/walkthrough.ts'

/** The etcd that README takes for granted. */
const ETCD: Step = {
  host: 'etcd',
  stays: true,
  commands:
    'etcd --data-dir=/run/etcd --listen-client-urls=http://192.168.19.120:2379 --advertise-client-urls=http://192.168.19.120:2379',
  shown: [],
}

/** Gives the hosts the subnets that the tutorial shows, by the two commands that it has as text. */
const RESERVE: Step = {
  host: 'host1',
  stays: false,
  commands: `for it in '10.2.21.0/24 192.168.19.121' '10.2.99.0/24 192.168.19.122'; do
    flanneld reserve $it -etcd-endpoints=http://192.168.19.120:2379 -etcd-prefix=/docker-test/network
  done`,
  shown: [],
}

test('README.md and docs/tutorial.md: start it, make each fault, find the cause by status, fix it, remove everything', async (t) => {
  const [config, ...start] = stepsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))
  if (config === undefined) throw new Error('README.md has no steps')
  const tutorial = stepsOf(readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8'))
  t.true(tutorial.filter(({ commands }) => commands === 'flanneld status').length >= 20, 'a fault and its end each')
  await runSteps(t, [ETCD, config, RESERVE, ...start, ...tutorial])
})
