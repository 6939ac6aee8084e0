/**
 * `npm run build`: builds the two programs that customers run, each as one executable file, and the
 * workflows' code as one file, which workers would otherwise build at their first start.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'
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
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  })
  writeFileSync('dist/workflows.js', code)
  console.log('dist/workflows.js')
}

await main()
