/**
 * Lists of dependencies: each package lists what its code imports, in one version, with a reason in the docs.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'
import { expect, test } from 'vitest'

interface Manifest {
  readonly name: string
  readonly workspaces?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(ROOT, 'docs/internals/dependencies.md'), 'utf8')
const root = manifest('.')
const workspaces = root.workspaces ?? []
const all = [root, ...workspaces.map(manifest)]

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest
}

const names = (list: Readonly<Record<string, string>> | undefined) => Object.keys(list ?? {}).sort()
const sorted = (list: Iterable<string>) => [...new Set(list)].sort()

/** Returns `@scope/name` or `name` of what an import names. */
function packageOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
}

function isBuiltin(path: string): boolean {
  return path.startsWith('node:') || builtinModules.includes(path)
}

async function bundle(entries: readonly string[], packages: 'external' | 'bundle'): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...entries],
    outdir: 'unused',
    bundle: true,
    write: false,
    metafile: true,
    packages,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  })
  return metafile
}

/** Lists the packages that a program's own files import, in whichever room they are. */
async function importedBy(...entries: readonly string[]): Promise<string[]> {
  const { inputs } = await bundle(entries, 'external')
  const paths = Object.values(inputs).flatMap((input) =>
    input.imports.filter((each) => each.external).map((each) => each.path),
  )
  return sorted(paths.filter((path) => !isBuiltin(path)).map(packageOf))
}

/** Lists the packages that a folder's files name in imports, those of types included. */
function namedIn(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !/(^|\/)(dist|node_modules)\//.test(name),
  )
  const paths = files.flatMap((name) =>
    [
      ...readFileSync(join(ROOT, folder, name), 'utf8').matchAll(
        /(?:\bfrom |\bimport\(|^import )'([@a-z][^'\s]*)'/gm,
      ),
    ].map((match) => match[1] ?? ''),
  )
  return sorted(paths.filter((path) => !isBuiltin(path)).map(packageOf))
}

test('the signer lists exactly the packages that its code and what it uses of this repository import', async () => {
  const { dependencies, devDependencies } = manifest('signer')
  expect(names(dependencies)).toEqual(await importedBy('signer/main.ts'))
  expect(devDependencies).toBeUndefined()
})

test('the client lists exactly the packages that the library imports, and for its programs what they import', async () => {
  const { dependencies, devDependencies } = manifest('client')
  const library = await importedBy('client/index.ts', 'client/verify-webhook.ts')
  expect(names(dependencies)).toEqual(library)
  const programs = await importedBy('client/approve.ts', 'client/verify-audit-log-command.ts')
  expect(names(devDependencies)).toEqual(programs.filter((name) => !library.includes(name)))
})

test('domain and wire list exactly the packages that their files import', () => {
  expect(names(manifest('domain').dependencies)).toEqual(namedIn('domain'))
  expect(names(manifest('wire').dependencies)).toEqual(namedIn('wire'))
})

test('every version is exact, and the same in each package', () => {
  const versions = new Map<string, string>()
  for (const { name, dependencies, devDependencies } of all) {
    for (const [dependency, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(version, `${name}: ${dependency}`).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
      expect(versions.get(dependency) ?? version, `${name}: ${dependency}`).toBe(version)
      versions.set(dependency, version)
    }
  }
  expect(versions.size).toBeGreaterThan(30)
})

test('the lock file holds every package of this repository as it is', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Manifest>
  }
  for (const folder of ['', ...workspaces]) {
    const { dependencies, devDependencies } = manifest(folder)
    const locked = packages[folder]
    expect([locked?.dependencies, locked?.devDependencies], folder).toEqual([dependencies, devDependencies])
  }
})

test('the image installs with the list of every package', () => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const before = dockerfile.slice(0, dockerfile.indexOf('RUN npm ci'))
  for (const folder of workspaces) expect(before).toContain(`COPY ${folder}/package.json ${folder}/\n`)
})

test('docs/internals/dependencies.md has a row for every dependency, and none for others', () => {
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''))
  const used = sorted(all.flatMap((each) => [...names(each.dependencies), ...names(each.devDependencies)]))
  expect(sorted(rows)).toEqual(used)
})

test('docs/internals/dependencies.md names every package inside the signer’s executable', async () => {
  const { inputs } = await bundle(['signer/main.ts'], 'bundle')
  const inside = sorted(
    Object.keys(inputs)
      .filter((path) => path.includes('node_modules/'))
      .map((path) => packageOf(path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))),
  )
  const named = /^What the executable holds: (.*?)\.$/ms.exec(page)?.[1] ?? ''
  expect([...named.matchAll(/`([^`]+)`/g)].map((match) => match[1])).toEqual(inside)
})
