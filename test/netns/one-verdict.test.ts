// One verdict on every surface: status, the control socket, the page, metrics, events, /readyz and systemd say the same word, when
// the host breaks and when it is healthy again.
import test, { type ExecutionContext } from 'ava'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type NotifySocket, listenForNotifications } from '../lab/actors/service-manager.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { scrape } from '../lab/instruments/scrape.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type Host } from '../lab/world/lab.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const WORDS = ['healthy', 'degraded', 'broken']

/** The word each surface says. `status` comes first: asking has the host examined. */
async function words(host: Host, systemd: NotifySocket): Promise<Readonly<Record<string, string | undefined>>> {
  const { verdict } = JSON.parse((await runVerb(host, 'status -json')).stdout) as { verdict: { word: string } }
  const socket = JSON.parse(await host.run('curl -s --unix-socket /run/flannel/flanneld.sock http://d/v1/status')) as {
    verdict: { word: string }
  }
  const page = JSON.parse((await askHealthPort(host, '/api/state')).text) as { verdict: { word: string } }
  const metrics = await scrape(host)
  const { stdout } = await runVerb(host, 'events')
  const status = systemd.received().findLast(({ text }) => text.includes('STATUS='))?.text
  return {
    status: verdict.word,
    socket: socket.verdict.word,
    page: page.verdict.word,
    metrics: WORDS.filter((word) => metrics.value(`flannel_verdict{word="${word}"}`) === 1).join(),
    events: /^.* verdict +(\w+)/.exec(
      stdout
        .trim()
        .split('\n')
        .findLast((line) => / verdict /.test(line)) ?? '',
    )?.[1],
    systemd: /STATUS=(\w+)/.exec(status ?? '')?.[1],
  }
}

async function allSay(t: ExecutionContext, word: string, host: Host, systemd: NotifySocket): Promise<void> {
  await waitFor(`${word} by status`, async () => (await runVerb(host, 'status')).stdout.startsWith(`● ${word}`))
  const said = await words(host, systemd)
  const expected = { status: word, socket: word, page: word, metrics: word, events: word, systemd: word }
  t.deepEqual(said, expected)
}

test('a host that does not forward: every surface says broken, and healthy when it forwards again', async (t) => {
  const { host } = await createOneHost(t)
  const systemd = await listenForNotifications(host, '/run/notify.sock', 'true')
  const args = `${ARGS} -healthz-port=9000 -healthz-page`
  await waitForSubnetEnv(host, await startFlanneld(host, args, `env NOTIFY_SOCKET=/run/notify.sock ${BUNDLE}`))
  await allSay(t, 'healthy', host, systemd)
  t.is((await askHealthPort(host, '/readyz')).status, 200)

  await host.run('sysctl -qw net.ipv4.ip_forward=0')
  await allSay(t, 'broken', host, systemd)
  const unready = await askHealthPort(host, '/readyz')
  t.is(unready.status, 503)
  t.regex(unready.text, /^flanneld is not ready yet\nbroken\nthe kernel does not forward packets: /)
  t.is((await askHealthPort(host, '/healthz')).status, 200)
  t.is((await scrape(host)).value('flannel_findings{level="fault"}'), 1)

  await host.run('sysctl -qw net.ipv4.ip_forward=1')
  await allSay(t, 'healthy', host, systemd)
  t.is((await askHealthPort(host, '/readyz')).status, 200)
})
