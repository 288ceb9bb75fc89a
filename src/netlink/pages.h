// Giving back memory that starting the program has touched: pages of its own file, and what malloc holds free.
#pragma once
#define _GNU_SOURCE
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include "call.h"

// The main program comes first. Only segments that are never written: what is dropped of them is read again from the
// file, usually from the page cache, when it is next run or read (madvise(2), MADV_DONTNEED).
static int drop_segments(struct dl_phdr_info *info, size_t size, void *dropped) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
    uintptr_t page = 4096, start = info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (end > start && madvise((void *)start, end - start, MADV_DONTNEED) == 0) *(double *)dropped += end - start;
  }
  return 1;
}

// releaseProgram(): bytes of address space of the file given back. malloc_trim(3): 10 MB after 1,000 peers.
static napi_value release_program(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  double dropped = 0;
  if (!args.bad) {
    dl_iterate_phdr(drop_segments, &dropped);
    malloc_trim(0);
  }
  return answer(&args, dropped);
}
