// Makes V8's code cache of a program, of every function in it: `node FLAGS scripts/code-cache.ts PROGRAM OUTPUT`, with the
// flags the program will run under. V8 by itself caches what runs at once when a script is loaded, and compiles the rest
// when it is first called: for us that would be nearly all, at every start.
import { readFileSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

const [program, output] = process.argv.slice(2)
if (program === undefined || output === undefined) throw new Error('usage: code-cache.ts PROGRAM OUTPUT')
const source = readFileSync(program, 'latin1')
setFlagsFromString('--no-lazy')
const script = new Script(source)
// A cache is taken only under the flags it was written with.
setFlagsFromString('--lazy')
const cachedData = script.createCachedData()
if (new Script(source, { cachedData }).cachedDataRejected === true) throw new Error('code cache: V8 refuses it')
writeFileSync(output, cachedData)
