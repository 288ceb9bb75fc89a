// Certificates for an etcd of a test, and the arguments that make etcd and etcdctl use them.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Files in PEM form. */
export interface TlsFiles {
  readonly ca: string
  /** Of the server. */
  readonly certificate: string
  readonly key: string
  readonly clientCertificate: string
  readonly clientKey: string
}

/** What a server shows, and whether it asks clients for a certificate of the same authority. */
export interface ServerTls extends Pick<TlsFiles, 'ca' | 'certificate' | 'key'> {
  readonly clients?: boolean
}

/** Makes a CA, a server certificate for `address` and localhost, and a client certificate in `folder`, with openssl. */
export function makeTls(folder: string, address = '127.0.0.1'): TlsFiles {
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe' })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=test-ca')
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
  for (const [name, usage] of [
    ['server', 'serverAuth,clientAuth'],
    ['client', 'clientAuth'],
  ] as const) {
    const names = ['-addext', `subjectAltName=IP:${address},DNS:localhost`, '-addext', `extendedKeyUsage=${usage}`]
    const request = at(`${name}.csr`)
    openssl('req', ...ec, '-keyout', at(`${name}.key`), '-out', request, '-subj', `/CN=${name}`, ...names)
    openssl('x509', '-req', '-in', request, '-out', at(`${name}.pem`), ...signed, '-copy_extensions', 'copy')
  }
  return {
    ca: at('ca.pem'),
    certificate: at('server.pem'),
    key: at('server.key'),
    clientCertificate: at('client.pem'),
    clientKey: at('client.key'),
  }
}

/** The arguments of etcd. */
export function serverArgs({ ca, certificate, key, clients = false }: ServerTls): readonly string[] {
  const asks = clients ? ['--client-cert-auth', `--trusted-ca-file=${ca}`] : []
  return [`--cert-file=${certificate}`, `--key-file=${key}`, ...asks]
}

/** The arguments of etcdctl. It shows the server's certificate, which is good for clients too. */
export function clientArgs({ ca, certificate, key, clients = false }: ServerTls): readonly string[] {
  return [`--cacert=${ca}`, ...(clients ? [`--cert=${certificate}`, `--key=${key}`] : [])]
}
