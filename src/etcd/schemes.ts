// What an endpoint without a scheme means, and http mixed with https, as Go's client has it: the first endpoint decides for all.
// https://github.com/etcd-io/etcd, client/v3/client.go, dialWithBalancer and credentialsForEndpoint. Pure.
// Invariant: what was written as https never becomes http, which Go would do behind a first http.

/**
 * Endpoints as URLs; each is `host:port` with or without `http://` or `https://`. Without a scheme it is TLS when the first
 * endpoint is, and where that has none either, when TLS files were given.
 */
export function withSchemes(endpoints: readonly string[], files: boolean): readonly string[] {
  const first = schemeOf(endpoints[0] ?? '') ?? (files ? 'https' : 'http')
  const urls = endpoints.map((endpoint) => {
    const scheme = first === 'https' ? 'https' : (schemeOf(endpoint) ?? 'http')
    return `${scheme}://${endpoint.replace(/^https?:\/\//, '')}`
  })
  return [...new Set(urls)]
}

function schemeOf(endpoint: string): 'http' | 'https' | undefined {
  return endpoint.startsWith('https://') ? 'https' : endpoint.startsWith('http://') ? 'http' : undefined
}
