// What may stand in -etcd-cafile, as in Go: the root, the authority it signed, or etcd's own certificate.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { askHealth } from '../../src/etcd/endpoint-health.ts'
import { makeTls } from '../lab/world/tls.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import { etcdFailure, openTestStore } from '../lab/world/store.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** A root, an authority that it signed, and a certificate of that one for 127.0.0.1: the folder they are in. */
function makeChain(at: string): string {
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe', cwd: at })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  writeFileSync(join(at, 'ca.ext'), 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n')
  writeFileSync(join(at, 'server.ext'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n')
  openssl('req', '-x509', ...key, '-keyout', 'root.key', '-out', 'root.pem', '-days', '2', '-subj', '/CN=root')
  for (const [name, by, ext] of [
    ['issuer', 'root', 'ca.ext'],
    ['server', 'issuer', 'server.ext'],
  ] as const) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const signed = ['-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial']
    openssl('x509', '-req', ...signed, '-out', `${name}.pem`, '-days', '2', '-extfile', ext)
  }
  return at
}

test('the issuing authority alone, or the certificate of etcd alone, is enough; a stranger is named without advice of Node', async (t) => {
  const at = makeChain(tempFolder(t))
  const file = (name: string): string => join(at, name)
  const stranger = makeTls(tempFolder(t))
  const tls = { ca: file('issuer.pem'), certificate: file('server.pem'), key: file('server.key') }
  const etcd = await startEtcd(t, { tls })
  const endpoints = [etcd.url]
  for (const caFile of [file('issuer.pem'), file('server.pem')]) {
    t.is((await openTestStore(t, { endpoints, caFile }).get('/a')).entry, undefined, caFile)
    t.like((await askHealth({ endpoints, caFile }))[0], { health: 'healthy' })
  }
  for (const caFile of [stranger.ca, file('root.pem'), undefined]) {
    const error = await etcdFailure(openTestStore(t, { endpoints, caFile }).get('/a'))
    t.is(error.why, 'tls', error.message)
    t.regex(error.message, /-etcd-cafile/)
    t.notRegex(error.message, /node|use-system-ca/i)
    t.is((await askHealth({ endpoints, caFile }))[0]?.health, 'silent')
  }
})
