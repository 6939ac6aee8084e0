/**
 * `npm run build`: builds the two programs that customers run, each as one executable file, and the
 * workflows' code as one file, which workers would otherwise build at their first start.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { bundleWorkflows } from '../workers/bundle-workflows.js'
import { buildProgram } from './build-program.js'

const PROGRAMS = [
  { entry: 'signer/main.ts', file: 'dist/keyturn-signer' },
  { entry: 'client/approve.ts', file: 'dist/keyturn-approve' },
] as const

async function main(): Promise<void> {
  mkdirSync('dist', { recursive: true })
  for (const { entry, file } of PROGRAMS) {
    await buildProgram(entry, file)
    console.log(file)
  }
  writeFileSync('dist/workflows.js', await bundleWorkflows())
  console.log('dist/workflows.js')
}

await main()
