// The program of the single file, with its code cache, for a Node that has loaded something before it (node --require):
// the single file itself takes no flags of Node's.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')
const made = join(__dirname, '../build/flanneld-amd64')
// Where the addons are looked for.
process.argv[1] = join(__dirname, '../dist/flanneld')
const cachedData = readFileSync(join(made, 'main.cache'))
const script = new Script(readFileSync(join(made, 'main.cjs'), 'latin1'), { filename: 'flanneld.js', cachedData })
if (script.cachedDataRejected) throw new Error('code cache: V8 refuses it')
script.runInThisContext()(exports, require, module, __filename, __dirname)
