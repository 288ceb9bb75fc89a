// The verdict over a host: each thing that can be wrong has its word, its reason and the next command to run.
import type { Status } from '../../src/view/status-shape.ts'
import test from 'ava'
import { type Verdict, absentVerdict, verdictOf } from '../../src/view/verdict.ts'
import { NOW, SILENT, peerWith, statusWith } from '../fake/status.ts'

const judge = (over: Partial<Status> = {}, docker?: string): Verdict => verdictOf(statusWith(over), docker, NOW)
const FINE = statusWith()
const ETCD = 'etcdctl --endpoints=https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379 endpoint health'

test('all is well', (t) => {
  t.deepEqual(judge(), { word: 'healthy', code: 0, summary: '7 peers', reasons: [], remarks: [] })
})

test('no daemon answers', (t) => {
  const { word, code, reasons } = absentVerdict('docker0: old')
  t.deepEqual([word, code], ['not running', 3])
  t.deepEqual(
    reasons.map(({ text, run }) => [text, run]),
    [
      ['no daemon answers', 'systemctl start flanneld'],
      ['docker0: old', null],
    ],
  )
})

for (const [what, unready, summary, text, run] of [
  [
    'etcd refuses',
    [
      {
        part: 'config',
        code: 'etcd-unreachable',
        text: 'etcd: http://10.0.0.1:2379: connect ECONNREFUSED 10.0.0.1:2379',
      },
      { part: 'lease', code: 'not-yet', text: 'not yet' },
      { part: 'kernel', code: 'not-yet', text: 'not yet' },
    ],
    'waiting for etcd',
    'etcd: http://10.0.0.1:2379: connect ECONNREFUSED 10.0.0.1:2379',
    ETCD,
  ],
  [
    'nobody stored a config',
    [
      { part: 'config', code: 'no-config', text: 'no network config: /n/config: not found' },
      { part: 'lease', code: 'not-yet', text: 'not yet' },
    ],
    'no network config',
    'no network config: /n/config: not found',
    'flanneld config set FILE',
  ],
  [
    'the config is no good',
    [{ part: 'config', code: 'config-refused', text: 'network config: Backend.VNI: 0: must be more' }],
    'network config refused',
    'network config: Backend.VNI: 0: must be more',
    'flanneld config get',
  ],
  [
    'all subnets are taken',
    [{ part: 'lease', code: 'no-free-subnet', text: 'no free subnet: all 4 are taken; waiting for one to be freed' }],
    'no lease',
    'no free subnet: all 4 are taken; waiting for one to be freed',
    'flanneld leases',
  ],
  [
    'our key is gone',
    [{ part: 'lease', code: 'lease-lost', text: 'key deleted' }],
    'no lease',
    'lease: key deleted',
    'flanneld events',
  ],
  [
    'the kernel refuses',
    [{ part: 'kernel', code: 'kernel-refused', text: '2 changes refused' }],
    'kernel not ready',
    'kernel: 2 changes refused',
    'flanneld doctor',
  ],
  [
    'it has just begun',
    [
      { part: 'config', code: 'not-yet', text: 'not yet' },
      { part: 'lease', code: 'not-yet', text: 'not yet' },
    ],
    'starting',
    'the daemon has just started',
    'flanneld status -watch',
  ],
] as const) {
  test(`broken: ${what}`, (t) => {
    const verdict = judge({ ready: false, unready, lease: null })
    t.like(verdict, { word: 'broken', code: 2, summary })
    t.deepEqual(
      verdict.reasons.map((reason) => [reason.text, reason.run]),
      [[text, run]],
    )
  })
}

test('broken: every peer silent at once; one of one may be the peer alone', (t) => {
  const all = { total: 2, up: 0, degraded: 0, unreachable: 2, unknown: 0, refused: 0, inTrouble: 2 }
  t.like(judge({ peers: all, troubled: [SILENT, peerWith(42, { state: 'unreachable' })] }), {
    word: 'broken',
    code: 2,
    summary: 'no peer is reachable',
  })
  t.is(judge({ peers: { ...all, total: 1, unreachable: 1 }, troubled: [SILENT] }).word, 'degraded')
})

for (const [what, over, summary, text, run] of [
  [
    'a silent peer',
    { peers: { ...FINE.peers, up: 6, unreachable: 1, inTrouble: 1 }, troubled: [SILENT] },
    '1 of 7 peers unreachable',
    '10.2.41.0/24 at 192.168.19.41 unreachable for 41s: udp 8472 blocked?',
    'flanneld doctor 10.2.41.0/24',
  ],
  [
    'a refused lease',
    {
      peers: { ...FINE.peers, refused: 1, inTrouble: 1 },
      troubled: [
        peerWith(9, { state: 'refused', level: 'fault', publicAddress: null, since: null, note: 'mac: none' }),
      ],
    },
    '1 lease refused',
    'the lease 10.2.9.0/24 is refused: mac: none',
    'flanneld peers',
  ],
  [
    'a route in our way',
    {
      kernel: {
        ...FINE.kernel,
        conflicts: [{ kind: 'route', text: '10.2.7.0/24 via 192.168.19.1 dev enp0s3 proto static' }],
      },
    },
    '1 conflict',
    'a foreign object is in the place of ours: 10.2.7.0/24 via 192.168.19.1 dev enp0s3 proto static: remove it',
    'ip route del 10.2.7.0/24 via 192.168.19.1 dev enp0s3 proto static',
  ],
  [
    'a device in our way',
    { kernel: { ...FINE.kernel, conflicts: [{ kind: 'link', text: 'flannel.1 mtu 1450 state UP' }] } },
    '1 conflict',
    'a foreign object is in the place of ours: flannel.1 mtu 1450 state UP: remove it',
    'ip link del flannel.1',
  ],
  [
    'etcd unreachable',
    {
      store: {
        ...FINE.store,
        connected: false,
        since: NOW - 120_000,
        error: { at: NOW, text: 'etcd: x: no answer in time' },
      },
    },
    'etcd unreachable',
    'etcd is not watched for 2m: etcd: x: no answer in time; forwarding continues',
    ETCD,
  ],
  [
    'one member down',
    {
      store: {
        ...FINE.store,
        endpoints: [
          ...FINE.store.endpoints.slice(1),
          { url: 'https://10.0.0.1:2379', health: 'silent', detail: 'refused' },
        ],
      },
    },
    'an etcd member is down',
    'etcd: https://10.0.0.1:2379: silent: refused; the others serve',
    'etcdctl --endpoints=https://10.0.0.2:2379,https://10.0.0.3:2379,https://10.0.0.1:2379 endpoint health',
  ],
  [
    'the only endpoint silent, though the watch has not noticed',
    { store: { ...FINE.store, endpoints: [{ url: 'http://10.0.0.1:2379', health: 'silent', detail: 'no answer' }] } },
    'etcd does not answer',
    'etcd: http://10.0.0.1:2379: silent: no answer; forwarding continues',
    'etcdctl --endpoints=http://10.0.0.1:2379 endpoint health',
  ],
  [
    'a certificate about to end',
    { store: { ...FINE.store, certificateEnds: NOW + 5 * 86_400_000 } },
    'certificate ends soon',
    'the client certificate ends in 5d: replace the file of -etcd-certfile, it is read again',
    null,
  ],
  [
    'a lease that is not renewed',
    { lease: { subnet: '10.2.21.0/24', reserved: false, renewed: NOW - 300_000, expires: NOW + 3_600_000 } },
    'lease not renewed',
    'the lease was not renewed for 5m, 1h left',
    'flanneld events',
  ],
  [
    'firewall rules missing',
    { firewall: { ...FINE.firewall, error: 'iptables-restore: refused' } },
    'firewall rules missing',
    'iptables-restore: refused',
    'flanneld doctor',
  ],
] as const) {
  test(`degraded: ${what}`, (t) => {
    const verdict = judge(over as Partial<Status>)
    t.like(verdict, { word: 'degraded', code: 1, summary })
    t.deepEqual(
      verdict.reasons.map((reason) => [reason.text, reason.run]),
      [[text, run]],
    )
  })
}

test('of many peers in trouble some are named and the rest counted', (t) => {
  const troubled = Array.from({ length: 20 }, (_, n) => peerWith(n, { state: 'unreachable' }))
  const { reasons, summary } = judge({
    peers: { ...FINE.peers, total: 900, unreachable: 300, up: 600, inTrouble: 300 },
    troubled,
  })
  t.is(summary, '300 of 900 peers unreachable')
  t.is(reasons.length, 6)
  t.like(reasons.at(-1), { text: 'and 295 peers more in trouble', run: 'flanneld peers' })
})

test('unprobed peers, and a lease that has no end, are no fault', (t) => {
  const lease = { subnet: '10.2.21.0/24', reserved: true, renewed: null, expires: null }
  t.is(judge({ lease, peers: { ...FINE.peers, up: 0, unknown: 7 } }).word, 'healthy')
})
