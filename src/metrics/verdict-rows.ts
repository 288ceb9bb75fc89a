// The metrics of the verdict: the word and what it is made of.
import { LEVELS, type Level } from '../health/conditions.ts'
import type { Verdict } from '../view/verdict.ts'
import type { Metric, Sample } from './sample.ts'

/** What a daemon that answers can say of its host. */
const WORDS = ['healthy', 'degraded', 'broken'] as const

function findingCounts({ reasons, remarks }: Verdict): readonly Sample[] {
  const count = (level: Level): number =>
    level === 'fault' ? reasons.length : remarks.filter((remark) => remark.level === level).length
  return LEVELS.map((level) => ({ labels: { level }, value: count(level) }))
}

export const VERDICT: readonly Metric[] = [
  {
    name: 'flannel_verdict',
    type: 'gauge',
    help: 'The verdict over this host: 1 for the word that holds, 0 for the others.',
    labels: { word: 'healthy, degraded, broken' },
    note: 'The word of `flanneld status`. The host is examined every 30 seconds to 5 minutes, and after events.',
    read: ({ health }) =>
      WORDS.map((word) => ({ labels: { word }, value: health.latest.verdict.word === word ? 1 : 0 })),
  },
  {
    name: 'flannel_findings',
    type: 'gauge',
    help: 'What the verdict is made of: reasons, which are faults, and remarks.',
    labels: { level: LEVELS.join(', ') },
    note: 'Only a fault changes the verdict. `flanneld status` lists them.',
    read: ({ health }) => findingCounts(health.latest.verdict),
  },
]
