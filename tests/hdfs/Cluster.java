import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/**
 * HDFS in one process: a namenode and four datanodes, data in FOLDER. Writes FOLDER/ready when it serves. A file in FOLDER/control
 * asks for something and is removed when that is done: stop-datanode, restart-namenode.
 */
public class Cluster {
    static final int DATANODES = 4;

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        int port = Integer.parseInt(arguments[1]);
        boolean isNew = !Files.exists(folder.resolve("hdfs"));
        MiniDFSCluster cluster = new MiniDFSCluster.Builder(settings(folder))
            .nameNodePort(port).numDataNodes(DATANODES).format(isNew).build();
        cluster.waitActive();
        cluster.getFileSystem().setPermission(new org.apache.hadoop.fs.Path("/"), new FsPermission((short) 0777));
        Path control = Files.createDirectories(folder.resolve("control"));
        Files.writeString(folder.resolve("ready"), "ready\n");
        while (true) {
            Thread.sleep(100);
            File[] asked = control.toFile().listFiles();
            for (File file : asked == null ? new File[0] : asked) {
                obey(cluster, file.getName());
                file.delete();
            }
        }
    }

    static void obey(MiniDFSCluster cluster, String command) throws Exception {
        switch (command) {
            case "stop-datanode" -> cluster.stopDataNode(0);
            case "restart-namenode" -> cluster.restartNameNode(true);
            default -> System.err.println("unknown: " + command);
        }
    }

    /** A dead datanode is noticed within seconds; a test does not wait for minutes. */
    static Configuration settings(Path folder) {
        Configuration settings = new HdfsConfiguration();
        settings.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("hdfs").toString());
        settings.setInt("dfs.replication", 3);
        settings.setInt("dfs.heartbeat.interval", 1);
        settings.setInt("dfs.namenode.heartbeat.recheck-interval", 2000);
        settings.setInt("dfs.namenode.stale.datanode.interval", 3000);
        settings.setBoolean("dfs.namenode.avoid.write.stale.datanode", true);
        settings.setBoolean("dfs.namenode.avoid.read.stale.datanode", true);
        settings.setBoolean("dfs.permissions.enabled", false);
        return settings;
    }
}
