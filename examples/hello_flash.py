import uos
print("files:", uos.listdir("/flash"))
with open("/flash/test.txt", "w") as f:
    f.write("hello text")
print("files:", uos.listdir("/flash"))
with open("/flash/test.txt", "r") as f:
    content = f.read()
print("read:", content)
