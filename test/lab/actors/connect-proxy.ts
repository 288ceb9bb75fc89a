// An HTTP proxy that knows CONNECT alone, and asks for a password. Run by itself: node connect-proxy.ts PORT USER:PASSWORD
import { createServer } from 'node:http'
import { connect } from 'node:net'

const [port, user = ''] = process.argv.slice(2)
const wanted = `Basic ${Buffer.from(user).toString('base64')}`
const server = createServer((_request, response) => response.writeHead(405).end())
server.on('connect', (request, near) => {
  near.on('error', () => undefined)
  if (request.headers['proxy-authorization'] !== wanted) {
    near.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
    return
  }
  const target = new URL(`http://${request.url ?? ''}`)
  const far = connect(Number(target.port), target.hostname, () => {
    console.log(`connected ${request.url ?? ''}`)
    near.write('HTTP/1.1 200 OK\r\n\r\n')
    near.pipe(far).pipe(near)
  })
  far.on('error', () => near.destroy()).on('close', () => near.destroy())
  near.on('close', () => far.destroy())
})
server.listen(Number(port), () => {
  console.log('listening')
})
