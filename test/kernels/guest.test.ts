// The hosts of other kernels themselves: that they boot, run commands as a namespace does, and end.
import test from 'ava'
import { bootGuest } from '../lab/world/guest.ts'
import { createLab } from '../lab/world/lab.ts'

for (const kernel of ['bookworm', 'uml'] as const)
  test(`${kernel} boots and runs commands`, async (t) => {
    const lan = await (await createLab(t)).lan()
    const [guest, here] = await Promise.all([bootGuest(t, lan, 121, kernel), lan.host(122)])
    t.log((await guest.run('uname -r')).trim())
    await here.run(`ping -c 1 -W 5 ${guest.address} && ping -c 1 -W 5 ${guest.address6}`)
    t.is(await guest.run('tr a-z A-Z; hostname', 'text'), 'TEXThost121\n')
    await t.throwsAsync(guest.run('echo out; echo err >&2; exit 3'), {
      message: 'host121: echo out; echo err >&2; exit 3: status 3: out\nerr',
    })
    const sleeping = await guest.spawn('sleep 1000')
    t.deepEqual(await sleeping.stop(), { code: null, signal: 'SIGTERM' })
    await guest.run(
      'echo written >/tmp/x && modprobe vxlan && ip link add v type vxlan id 1 dstport 8472 && nft list ruleset && ip netns add c',
    )
    const left = await guest.spawn('sleep 1000')
    await guest.close()
    t.deepEqual(await left.exit, { code: null, signal: 'SIGKILL' })
  })
