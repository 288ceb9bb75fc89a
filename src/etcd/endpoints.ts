// The etcd endpoints and credentials as the operator gave them, checked before anything is sent.
// Invariant: no password ever reaches a message; an endpoint is `scheme://host:port` without a trailing slash.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { messageOf, OperatorError } from '../errors.ts'
import { withSchemes } from './schemes.ts'

/** How to reach etcd. Files are PEM; they are read again whenever they changed. */
export interface StoreOptions {
  /** URLs, each may itself be a comma list: `http://10.0.0.1:2379`, `https://...`; without a scheme as withSchemes has it. */
  readonly endpoints: readonly string[]
  readonly certificateFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Milliseconds a call to one endpoint may take; when absent 5,000, with several endpoints 3,000. */
  readonly deadline?: number | undefined
}

/** Checked endpoints; `secure` when there is one with TLS. */
export interface Endpoints {
  readonly urls: readonly string[]
  readonly secure: boolean
}

/** What a TLS connection is made with. */
export interface Credentials {
  readonly rootCertificate: Buffer
  readonly privateKey?: Buffer
  readonly certChain?: Buffer
}

const URL_FORM = /^(https?):\/\/(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+):(\d{1,5})$/i

// Where Linux distributions keep the system's roots, in the order of Go's crypto/x509/root_linux.go.
const SYSTEM_ROOTS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** Checks a list of endpoints; `files` says whether there are TLS files. Throws OperatorError that names the offending one. */
export function parseEndpoints(list: readonly string[], files = false): Endpoints {
  const urls = list
    .flatMap((item) => item.split(','))
    .flatMap((item) => (item.trim() === '' ? [] : [parseEndpoint(item.trim())]))
  if (urls.length === 0) throw new OperatorError('etcd-endpoints: none given: name one, as in http://10.0.0.1:2379')
  const resolved = withSchemes(urls, files)
  return { urls: resolved, secure: resolved.some((url) => url.startsWith('https:')) }
}

function parseEndpoint(text: string): string {
  if (text.includes('@')) {
    throw new OperatorError('etcd-endpoints: credentials in a URL: use -etcd-username and -etcd-password instead')
  }
  const bare = !/^[a-z]+:\/\//i.test(text)
  const url = (bare ? `http://${text}` : text).replace(/\/+$/, '')
  const form = URL_FORM.exec(url)
  if (form === null || Number(form[3]) < 1 || Number(form[3]) > 65535) {
    throw new OperatorError(`etcd-endpoints: ${text}: not a URL with a port, as in http://10.0.0.1:2379`)
  }
  return `${bare ? '' : `${(form[1] ?? '').toLowerCase()}://`}${form[2] ?? ''}:${form[3] ?? ''}`
}

/** Reads and checks the TLS files. Throws OperatorError that names the flag and the file. */
export function readCredentials(options: StoreOptions): Credentials {
  const rootCertificate = options.caFile ? read('etcd-cafile', options.caFile, certificate) : systemRoots()
  if (!options.certificateFile && !options.keyFile) return { rootCertificate }
  if (!options.certificateFile)
    throw new OperatorError(`etcd-certfile: not given: -etcd-keyfile ${options.keyFile} needs it`)
  if (!options.keyFile)
    throw new OperatorError(`etcd-keyfile: not given: -etcd-certfile ${options.certificateFile} needs it`)
  const certChain = read('etcd-certfile', options.certificateFile, certificate)
  const privateKey = read('etcd-keyfile', options.keyFile, createPrivateKey)
  if (!new X509Certificate(certChain).checkPrivateKey(createPrivateKey(privateKey))) {
    throw new OperatorError(
      `etcd-keyfile: ${options.keyFile}: not the key of the certificate in ${options.certificateFile}`,
    )
  }
  return { rootCertificate, privateKey, certChain }
}

/** Whether TLS files were given. */
export function hasFiles({ caFile, certificateFile, keyFile }: StoreOptions): boolean {
  return [caFile, certificateFile, keyFile].some((file) => file !== undefined && file !== '')
}

/** A word that changes when one of the TLS files is replaced. */
export function credentialsStamp(options: StoreOptions): string {
  return [options.caFile, options.certificateFile, options.keyFile]
    .map((file) => {
      const stat = file ? statSync(file, { throwIfNoEntry: false }) : undefined
      return stat === undefined ? '-' : `${stat.ino}:${stat.mtimeMs}:${stat.size}`
    })
    .join(' ')
}

function certificate(pem: Buffer): X509Certificate {
  return new X509Certificate(pem)
}

function read(flag: string, file: string, check: (pem: Buffer) => unknown): Buffer {
  let pem: Buffer
  try {
    pem = readFileSync(file)
  } catch (error) {
    throw new OperatorError(`${flag}: ${file}: ${messageOf(error)}`)
  }
  try {
    check(pem)
  } catch {
    throw new OperatorError(
      `${flag}: ${file}: not ${flag === 'etcd-keyfile' ? 'a private key' : 'a certificate'} in PEM form`,
    )
  }
  return pem
}

function systemRoots(): Buffer {
  for (const file of SYSTEM_ROOTS) {
    try {
      return readFileSync(file)
    } catch {
      // The next distribution's place.
    }
  }
  return Buffer.from(rootCertificates.join('\n'))
}
