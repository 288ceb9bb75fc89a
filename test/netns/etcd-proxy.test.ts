// etcd behind an HTTP proxy, as https_proxy and no_proxy say by Go's rules.
import test from 'ava'
import { join } from 'node:path'
import { BUNDLE, ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { makeTls } from '../lab/world/tls.ts'
import { CONFIG, PREFIX } from '../lab/world/network.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const USER = 'me:geheim-4711'
const PROXY = '192.168.19.123:3128'

for (const scheme of ['http', 'https'] as const) {
  test(`${scheme}: only the proxy leads to etcd: the daemon, verbs and doctor take it, and errors name it without its password`, async (t) => {
    const tls = makeTls(tempFolder(t), '192.168.19.120')
    const lan = await (await createLab(t)).lan()
    const secure = scheme === 'https'
    const [etcd, host, far] = await Promise.all([
      startEtcd(lan, { config: CONFIG, ...(secure ? { tls } : {}) }),
      lan.host(121),
      lan.host(123),
    ])
    const { url } = etcd
    await etcd.run('iptables -I INPUT -p tcp --dport 2379 -s 192.168.19.121 -j REJECT')
    const proxy = await far.spawn(`${process.execPath} ${join(ROOT, 'test/lab/actors/connect-proxy.ts')} 3128 ${USER}`)
    await proxy.line(/listening/)
    const args = `-etcd-endpoints=${url} -iface=enp0s3 -etcd-prefix=${PREFIX} ${secure ? `-etcd-cafile=${tls.ca}` : ''}`
    const through = (env: string): string => `env ${env} ${BUNDLE}`
    const led = through(`HTTPS_PROXY=http://${USER}@${PROXY} no_proxy=10.0.0.0/8,.example`)

    const daemon = await startFlanneld(host, args, led)
    await waitForSubnetEnv(host, daemon)
    await daemon.line(/ ready: /)
    t.regex(proxy.output(), /connected 192\.168\.19\.120:2379/)
    const status = await runVerb(host, 'status')
    t.regex(status.output, /store +etcd 1\/1 /)
    const doctor = await runVerb(host, `doctor ${args}`, led)
    t.regex(doctor.output, /ok: .*\betcd, .*\bclock\b/)
    await daemon.stop()

    const direct = await runVerb(
      host,
      `leases ${args}`,
      through(`https_proxy=http://${USER}@${PROXY} NO_PROXY=192.168.0.0/16`),
    )
    t.regex(direct.output, /ECONNREFUSED 192\.168\.19\.120:2379/)
    const refused = await runVerb(host, `leases ${args}`, through(`https_proxy=http://me:other@${PROXY}`))
    t.regex(refused.output, /HTTP status 407 \(through the proxy 192\.168\.19\.123:3128 that https_proxy names\)/)
    t.notRegex(refused.output, /other|undefined/)
    await proxy.stop()
    const gone = await runVerb(host, `leases ${args}`, led)
    t.regex(
      gone.output,
      /ECONNREFUSED 192\.168\.19\.123:3128 \(through the proxy 192\.168\.19\.123:3128 that HTTPS_PROXY names\)/,
    )
    for (const { output } of [status, doctor, gone]) t.false(output.includes('geheim'), output)
    t.false(daemon.output().includes('geheim'))
  })
}
