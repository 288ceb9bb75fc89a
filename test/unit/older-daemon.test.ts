// Verbs of this version with a daemon from before an upgrade: fields it does not report are absent.
import test from 'ava'
import { renderVerdict } from '../../src/cli/verbs/config.ts'
import { renderLeases } from '../../src/cli/verbs/leases.ts'
import { leasesTold, statusTold, verdictTold } from '../../src/cli/older-daemon.ts'
import { renderStatus } from '../../src/cli/verbs/status.ts'
import { verdictOf } from '../../src/view/verdict.ts'
import { NOW, statusWith } from '../fake/status.ts'

test('status of a daemon that knows no conditions', (t) => {
  const { conditions: _, ...older } = statusWith()
  const told = statusTold(older)
  const verdict = verdictOf(told, undefined, NOW)
  t.is(verdict.word, 'healthy')
  t.regex(renderStatus({ verdict, status: told, file: undefined, left: undefined, etcd: undefined }, NOW), /^● healthy/)
  t.deepEqual(statusTold(statusWith()), statusWith(), 'what is there stays')
})

test('status of a daemon that does not count peers in trouble: those listed count', (t) => {
  const { inTrouble: _, ...peers } = { ...statusWith().peers, up: 4, unreachable: 2, refused: 1 }
  t.is(statusTold({ ...statusWith(), peers }).peers.inTrouble, 3)
})

test('leases of a daemon that shuts no host out', (t) => {
  const older = { prefix: '/x', revision: '7', network: null, subnets: null, trouble: 'no config', leases: [] }
  t.is(renderLeases(leasesTold(older)), 'no config\n')
  t.deepEqual(leasesTold({ ...older, shutOut: ['10.0.0.9'] }).shutOut, ['10.0.0.9'])
})

test('config check by a daemon that does not say who moves', (t) => {
  const compared = { key: '/x/config', revision: '7', same: false, changes: [], leases: 2, stranded: [], refusal: null }
  const verdict = verdictTold({ valid: true, warnings: [], trouble: null, compared: { ...compared, notes: [] } })
  if (!verdict.valid) return t.fail()
  t.regex(renderVerdict(verdict), /2 leases at the moment/)
  const wrong = { valid: false, path: 'Network', value: 1, rule: 'must be a text', message: 'Network: 1' } as const
  t.deepEqual(verdictTold(wrong), wrong)
})
