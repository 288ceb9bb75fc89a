// Who may ask the daemon over its socket: docs/security.md rests on this.
import test from 'ava'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

test('only root and the group of the socket may connect; others learn why not, and containers can still read subnet.env', async (t) => {
  const { host } = await createOneHost(t)
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  t.is(
    await host.run('stat -c "%a %U %G" /run/flannel/flanneld.sock /run/flannel/subnet.env'),
    '660 root root\n644 root root\n',
  )

  const nobody = `setpriv --reuid 65534 --regid 65534 --clear-groups ${BUNDLE}`
  for (const words of ['status', 'leases', 'config get']) {
    const { code, output } = await runVerb(host, words, nobody)
    t.not(code, 0)
    t.regex(output, /control socket: \/run\/flannel\/flanneld\.sock: permission denied/, words)
  }
  t.regex(await host.run('setpriv --reuid 65534 --clear-groups cat /run/flannel/subnet.env'), /FLANNEL_SUBNET=/)

  // A user in the socket's group is served.
  await host.run('chgrp 65534 /run/flannel/flanneld.sock')
  t.is((await runVerb(host, 'leases', nobody)).code, 0)
})
