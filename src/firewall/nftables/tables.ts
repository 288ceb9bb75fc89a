// nftables' tables by the program nft: lists, reads, writes and removes them.
import { type Runner, output, runProgram } from '../run.ts'

/** All tables, as "inet name"; none without nft. Throws OperatorError. */
export async function listTables(runner: Runner): Promise<readonly string[]> {
  const { status, stdout } = await runProgram(runner, 'nft', ['list', 'tables'])
  return status === 0 ? Array.from(stdout.matchAll(/^table (.+)$/gm), (match) => match[1] ?? '') : []
}

/** What nft shows of a table ("inet name"); undefined when there is none. Throws OperatorError. */
export async function listTable(runner: Runner, table: string): Promise<string | undefined> {
  const { status, stdout } = await runProgram(runner, 'nft', ['list', 'table', ...table.split(' ')])
  return status === 0 ? stdout : undefined
}

/** Removes tables ("inet name"), in one transaction. Throws OperatorError. */
export async function removeTables(runner: Runner, tables: readonly string[]): Promise<void> {
  if (tables.length > 0) await output(runner, 'nft', ['-f', '-'], tables.map(removal).join(''))
}

/** Text that removes a table, also when there is none. */
export function removal(table: string): string {
  return `add table ${table}\ndelete table ${table}\n`
}

/** Runs a text as one transaction; when nft refuses it, the text that `lesser` returns. Throws OperatorError. */
export async function writeTables(runner: Runner, text: string, lesser?: (text: string) => string): Promise<void> {
  try {
    await output(runner, 'nft', ['-f', '-'], text)
  } catch (thrown) {
    const less = lesser?.(text) ?? text
    if (less === text) throw thrown
    await output(runner, 'nft', ['-f', '-'], less)
  }
}
